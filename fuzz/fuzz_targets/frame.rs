#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lastseen_api::fuzz_targets::frame(bytes));
