//! The commented `verdict.toml` that `init` writes for each kind of project.
