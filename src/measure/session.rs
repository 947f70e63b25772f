//! The session file: samples are saved as they come, and found again after an interruption.
