//! libFuzzer's way into [`hivematrix_fuzz::registry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::registry(bytes));
