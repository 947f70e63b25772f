//! Metric sources: one file each.

pub mod build_log;
pub mod command;
pub mod image;
pub mod path;
