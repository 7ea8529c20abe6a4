//! libFuzzer's way into [`hivematrix_fuzz::key_ring`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hivematrix_fuzz::key_ring(bytes));
