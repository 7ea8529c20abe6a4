//! What the panel says of a person, kept for the next page of theirs: it is the same on all of them.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use hivematrix_platform::UserClaims;

use crate::contract::edits::Fragment;
use crate::contract::request::Caller;

/// So many people's entries are kept by each thread; of two that share a place, the later one's.
const KEPT: usize = 256;

/// Whom an entry was made for, and the entry.
type Entry = Option<(Weak<UserClaims>, Fragment)>;

thread_local! {
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// The entry of a caller, `made` if there is none. Claims that are replaced make another caller.
pub(super) fn entry(caller: &Caller, made: impl FnOnce() -> Fragment) -> Fragment {
    let claims = Arc::as_ptr(&caller.claims);
    // As long as it is held weakly, nobody else's claims come to its address.
    let place = (claims.addr() / align_of::<UserClaims>() / 4) % KEPT;
    ENTRIES.with_borrow_mut(|entries| {
        entries.resize_with(KEPT, || None);
        match entries.get_mut(place) {
            Some(Some((of, entry))) if std::ptr::eq(of.as_ptr(), claims) => entry.clone(),
            Some(kept) => {
                let entry = made();
                *kept = Some((Arc::downgrade(&caller.claims), entry.clone()));
                entry
            }
            None => made(),
        }
    })
}
