//! Validators.
use crate::contract::request::RequestHead;

pub(crate) fn request(_head: &mut RequestHead, _editors: usize) -> Option<u64> {
    None
}
