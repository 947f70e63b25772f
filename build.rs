//! Leaves the unwind tables out of the release binary: 0.8 MB that nothing reads, since a panic there ends the process at once.

use std::env::var;
use std::path::Path;

fn main() {
    const SCRIPT: &str = "no-unwind-tables.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    // The profile, since the setting of `panic` in Cargo.toml is not told to build scripts. GNU ld and lld read the script.
    if var("PROFILE").as_deref() == Ok("release") && var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let script = Path::new(&var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join(SCRIPT);
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    }
}
