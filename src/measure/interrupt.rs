//! Ctrl-C: a flag that every wait looks at.
