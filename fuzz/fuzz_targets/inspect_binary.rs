//! A binary of any bytes.
#![no_main]

use git_verdict::inspect::{Limits, binary, diff};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let reader = std::io::Cursor::new(data);
    if let Ok(binary) = binary::read_from(reader, data.len() as u64, "fuzz", &Limits::default()) {
        diff::binaries(&binary, &binary);
    }
});
