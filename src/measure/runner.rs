//! Runs one command in a process group of its own: resource use, time limit, log, no child left behind.
