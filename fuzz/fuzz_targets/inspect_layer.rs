//! A tar of any bytes, plain or compressed, whole and in pieces of any size.
#![no_main]

#[allow(dead_code)]
#[path = "../functions.rs"]
mod functions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| functions::layer(data));
