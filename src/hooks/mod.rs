//! Git hooks: install, run.
