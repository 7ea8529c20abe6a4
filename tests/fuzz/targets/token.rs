//! libFuzzer's way into [`hivematrix_fuzz::token`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::token(bytes));
