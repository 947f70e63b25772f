//! A zip of any bytes.
#![no_main]

use git_verdict::inspect::{Limits, archive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { max_paths: 2000, max_name_bytes: 1 << 20, ..Limits::default() };
    let _ = archive::read_zip_bytes(data, "fuzz", &limits);
});
