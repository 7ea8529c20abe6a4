//! libFuzzer's way into [`hivematrix_fuzz::session_record`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::session_record(bytes));
