//! Named points at which a test kills the process, so that what it leaves behind can be looked at.

use super::Repo;
use std::cell::Cell;

/// The variable that names the point at which this process dies, or its number: `step:3` is the third point that is passed.
/// Only tests set it.
pub const STEP_VARIABLE: &str = "GIT_VERDICT_LEDGER_FAULT";

/// Where to die, and how many points were passed.
#[derive(Debug, Default)]
pub(super) struct Faults {
    wanted: Option<String>,
    passed: Cell<usize>,
}

impl Faults {
    pub(super) fn from_env() -> Faults {
        Faults { wanted: std::env::var(STEP_VARIABLE).ok(), passed: Cell::new(0) }
    }
}

impl Repo {
    /// Passes a point of a write: dies there, at once and without cleaning up, when a test wants that.
    pub(crate) fn point(&self, name: &str) {
        let Some(wanted) = &self.faults.wanted else { return };
        self.faults.passed.set(self.faults.passed.get() + 1);
        if wanted == name || *wanted == format!("step:{}", self.faults.passed.get()) {
            std::process::abort();
        }
    }
}
