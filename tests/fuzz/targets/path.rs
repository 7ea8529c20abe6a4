//! libFuzzer's way into [`hivematrix_fuzz::path`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::path(bytes));
