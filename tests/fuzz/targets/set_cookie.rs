//! libFuzzer's way into [`hivematrix_fuzz::set_cookie`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::set_cookie(bytes));
