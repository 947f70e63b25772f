//! What machine a session ran on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The machine and its state when a session began.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// `linux x86_64`.
    pub platform: String,
    /// CPU model as the system names it.
    pub cpu: String,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Kernel release.
    pub kernel: String,
    /// Frequency governor and turbo, container limits, load, tool versions: whatever was found, by name.
    #[serde(default)]
    pub more: BTreeMap<String, String>,
}
