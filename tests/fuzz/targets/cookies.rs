//! libFuzzer's way into [`hivematrix_fuzz::cookies`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::cookies(bytes));
