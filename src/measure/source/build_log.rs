//! Build logs to step times.
