//! Ctrl-C: a flag that every wait looks at.
//!
//! While a [`Guard`] lives, SIGINT, SIGTERM and SIGHUP set the flag and make [`wake`] readable; before and after, they
//! do what they always do. The flag stays set until the next guard is made, so that a caller can still ask.

use super::sys;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

struct State {
    /// The signals have their usual effect while this is set.
    idle: Arc<AtomicBool>,
    requested: Arc<AtomicBool>,
    read: UnixStream,
    write: UnixStream,
    guards: Mutex<usize>,
}

static STATE: OnceLock<Result<State, String>> = OnceLock::new();

/// Holds the signals while something is measured.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Begins to hold the signals; forgets an earlier request when no other guard lives.
    pub fn new() -> io::Result<Guard> {
        let state = state()?;
        let mut guards = state.guards.lock().unwrap_or_else(PoisonError::into_inner);
        if *guards == 0 {
            state.requested.store(false, Ordering::SeqCst);
            let mut buffer = [0; 64];
            while matches!((&state.read).read(&mut buffer), Ok(n) if n > 0) {}
            state.idle.store(false, Ordering::SeqCst);
        }
        *guards += 1;
        Ok(Guard(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Ok(state) = state() else { return };
        let mut guards = state.guards.lock().unwrap_or_else(PoisonError::into_inner);
        *guards -= 1;
        if *guards == 0 {
            state.idle.store(true, Ordering::SeqCst);
        }
    }
}

/// Whether a signal asked to stop.
pub fn requested() -> bool {
    state().is_ok_and(|s| s.requested.load(Ordering::SeqCst))
}

/// Asks to stop, as a signal would.
pub fn request() {
    if let Ok(state) = state() {
        state.requested.store(true, Ordering::SeqCst);
        // A full pipe is readable already.
        let _ = (&state.write).write(&[0]);
    }
}

/// Readable from the moment that stopping is asked for until the next first [`Guard`].
pub fn wake() -> io::Result<BorrowedFd<'static>> {
    Ok(state()?.read.as_fd())
}

fn state() -> io::Result<&'static State> {
    STATE.get_or_init(|| set_up().map_err(|e| e.to_string())).as_ref().map_err(|text| io::Error::other(text.clone()))
}

fn set_up() -> io::Result<State> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    write.set_nonblocking(true)?;
    let idle = Arc::new(AtomicBool::new(true));
    let requested = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if sys::ignored(signal) {
            continue;
        }
        // Actions run in the order in which they are registered.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&idle))?;
        signal_hook::flag::register(signal, Arc::clone(&requested))?;
        signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
    }
    Ok(State { idle, requested, read, write, guards: Mutex::new(0) })
}
