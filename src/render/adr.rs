//! Decision files (ADR) from records.

use super::{Lang, RenderError};
use crate::experiment::Experiment;
use std::path::{Path, PathBuf};

/// Where the decision file of an experiment goes and what it says.
///
/// `root` is the work tree, `folder` the folder of decision files relative to it; the number follows the highest there.
pub fn new(
    _root: &Path,
    _folder: &Path,
    _experiment: &Experiment,
    _lang: Lang,
) -> Result<(PathBuf, String), RenderError> {
    todo!()
}
