//! git's index, of any bytes.
#![no_main]

#[allow(dead_code)]
#[path = "../functions.rs"]
mod functions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| functions::git_index(data));
