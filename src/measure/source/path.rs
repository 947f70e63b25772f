//! The size of a file, a folder, or all that a glob matches.
