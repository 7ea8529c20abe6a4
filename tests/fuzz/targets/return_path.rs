//! libFuzzer's way into [`hivematrix_fuzz::return_path`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::return_path(bytes));
