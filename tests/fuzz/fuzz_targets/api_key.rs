#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aisle_tests::fuzz::api_key(bytes));
