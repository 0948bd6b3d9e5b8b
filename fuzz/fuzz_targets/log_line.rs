#![no_main]

#[allow(dead_code, reason = "the reader alone is of use here")]
#[path = "../../src/status/entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|input: &[u8]| entry::holds(&String::from_utf8_lossy(input)));
