//! All tests of the built program and of the library's public side: one program, so that it is linked once and every test has
//! others beside it. `cargo test --test all NAME::` runs those of `tests/NAME.rs`.

mod common;

mod adr;
mod bad_input;
mod bisect;
mod check;
mod compat;
mod config;
mod decide;
mod decision;
mod decision_faults;
mod docs;
mod exchange;
mod flow;
mod fuzz;
mod guard;
mod history;
mod hook_tools;
mod hooks;
mod hostile;
mod inspect;
mod languages;
mod ledger;
mod ledger_faults;
mod mcp;
mod measure;
mod measuring;
mod next;
mod recheck;
mod reference;
mod reftable;
mod render;
mod report;
mod ruler;
mod schema;
mod shell;
mod stats;
mod sync;
mod terminal;
mod trade_offs;
mod trust;
mod undo;

/// What takes minutes: in front by its name, since tests start in the order of their names.
mod at_length {
    mod demo;
    mod seed_story;
}

/// A file that is named nowhere would never run.
#[test]
fn every_file_of_tests_is_named_here() {
    for (folder, indent) in [("tests", ""), ("tests/at_length", "    ")] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else { continue };
            let line = format!("\n{indent}mod {module};\n");
            assert!(include_str!("main.rs").contains(&line), "{name} is not a module of tests/main.rs");
        }
    }
}
