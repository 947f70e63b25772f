//! Leaves the unwind tables out of the release binary: 0.8 MB that nothing reads, since a panic there ends the process at once.

use std::env::var;
use std::path::Path;

fn main() {
    const SCRIPT: &str = "no-unwind-tables.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    // The profile, since the setting of `panic` in Cargo.toml is not told to build scripts. GNU ld and lld read the script.
    // Not with musl: object files that come with Rust's refer to the tables.
    let target = |key: &str| var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if var("PROFILE").as_deref() == Ok("release") && target("OS") == "linux" && target("ENV") == "gnu" {
        let script = Path::new(&var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join(SCRIPT);
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{}", script.display());
    }
}
