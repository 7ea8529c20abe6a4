//! Panics in spawned tasks, which nobody awaits: remembered by thread, raised when the case ends.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Begins to remember; forgets what an earlier case on this thread left.
pub(crate) fn remember() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            previous(info);
            PANICS.with(|panics| panics.borrow_mut().push(info.to_string()));
        }));
    });
    PANICS.with(|panics| panics.borrow_mut().clear());
}

/// Raises what was remembered, unless the case is failing anyway.
pub(crate) fn raise() {
    if std::thread::panicking() {
        return;
    }
    let panics = PANICS.with(|panics| std::mem::take(&mut *panics.borrow_mut()));
    assert!(
        panics.is_empty(),
        "a spawned task panicked: {}",
        panics.join("\n")
    );
}
