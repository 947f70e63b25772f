//! Two things that the release binary is smaller for: the catalogues of translations as tables, and no unwind tables.

#[allow(dead_code, reason = "the program reads the tables, which are only made here")]
#[path = "src/render/po.rs"]
mod po;

use std::env::var;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    catalogues(&root);
    unwinding(&root);
}

/// Makes a table of each PO file: `templates/zh-CN/messages.po` becomes `zh-CN.messages`, found in the folder of the build.
fn catalogues(root: &Path) {
    const FOLDER: &str = "templates";
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=src/render/po.rs");
    let out = PathBuf::from(var("OUT_DIR").expect("cargo sets it"));
    for language in root.join(FOLDER).read_dir().expect("the templates are there").flatten() {
        for name in ["messages", "help"] {
            let Ok(source) = std::fs::read_to_string(language.path().join(format!("{name}.po"))) else { continue };
            let file = format!("{}.{name}", language.file_name().display());
            let table = po::table(&source).unwrap_or_else(|problem| panic!("{file}: {problem}"));
            std::fs::write(out.join(file), table).expect("the folder of the build can be written");
        }
    }
}

/// Leaves the unwind tables out: 0.8 MB that nothing reads, since a panic in the release binary ends the process at once.
fn unwinding(root: &Path) {
    const SCRIPT: &str = "no-unwind-tables.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    // The profile, since the setting of `panic` in Cargo.toml is not told to build scripts. GNU ld and lld read the script.
    // Not with musl: object files that come with Rust's refer to the tables.
    let target = |key: &str| var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if var("PROFILE").as_deref() == Ok("release") && target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo::rustc-link-arg-bins=-T{}", root.join(SCRIPT).display());
    }
}
