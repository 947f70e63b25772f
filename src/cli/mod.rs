//! One file per command: arguments and presentation only.
