#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| jane_migrate_handler::fuzzing::hash(input));
