//! Where and how urgently commands run: processors and niceness.
//!
//! Both are properties of a Linux thread, and a new process has those of the thread that makes it. A thread of its own
//! therefore makes each command that is to be placed: nothing has to be put back afterwards, which for niceness could be
//! forbidden, and this process stays where it was.

use super::told::told;
use crate::phrase;
use crate::phrase::Phrase;
use serde::{Deserialize, Serialize};
use std::io;
use std::process::{Child, Command};

/// Where and how urgently commands run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Placement {
    /// The processors that they may use, by the system's numbers; all when empty.
    pub pin: Vec<usize>,
    /// Their niceness, from -20 to 19; the one of this process when none.
    pub nice: Option<i32>,
}

impl Placement {
    /// Whether there is nothing to be done.
    pub fn is_usual(&self) -> bool {
        self.pin.is_empty() && self.nice.is_none()
    }

    /// What the system grants of this, and a note about each thing that it does not.
    pub fn granted(&self) -> (Placement, Vec<Phrase>) {
        let mut granted = self.clone();
        let mut notes = Vec::new();
        if !self.pin.is_empty() {
            let only = Placement { nice: None, ..self.clone() };
            if let Err(error) = only.on_a_thread(|| Ok(())) {
                let named = self.pinned();
                notes.push(phrase!(
                    "steps are not pinned to processor {named}: {error}",
                    named,
                    error = told(&error.to_string())
                ));
                granted.pin.clear();
            }
        }
        if let Some(nice) = self.nice {
            let only = Placement { pin: Vec::new(), ..self.clone() };
            if let Err(error) = only.on_a_thread(|| Ok(())) {
                notes.push(phrase!(
                    "steps do not run with niceness {nice}: {error}",
                    nice,
                    error = told(&error.to_string())
                ));
                granted.nice = None;
            }
        }
        (granted, notes)
    }

    /// The processors for people: `2,3`.
    pub fn pinned(&self) -> String {
        self.pin.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    }

    /// Starts a command there.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        if self.is_usual() { command.spawn() } else { self.on_a_thread(|| command.spawn()) }
    }

    fn on_a_thread<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("placement".into()).spawn_scoped(scope, || {
                self.take_effect()?;
                work()
            })?;
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts commands failed")))
        })
    }

    /// Places the calling thread.
    #[cfg(target_os = "linux")]
    fn take_effect(&self) -> io::Result<()> {
        use rustix::thread::{CpuSet, sched_setaffinity};
        if !self.pin.is_empty() {
            let mut set = CpuSet::new();
            for &cpu in &self.pin {
                if cpu >= CpuSet::MAX_CPU {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no processor {cpu}")));
                }
                set.set(cpu);
            }
            sched_setaffinity(None, &set)?;
            // The system leaves out what is not there.
            let left = rustix::thread::sched_getaffinity(None)?;
            if let Some(missing) = self.pin.iter().find(|cpu| !left.is_set(**cpu)) {
                let text = format!("processor {missing} is not there, or not for this process");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        if let Some(nice) = self.nice {
            rustix::process::setpriority_process(None, nice)?;
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn take_effect(&self) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux can do this for single commands"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn told(placement: &Placement, program: &str, words: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(words).stdout(Stdio::piped());
        let output = placement.spawn(&mut command).unwrap().wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    #[test]
    fn a_command_runs_where_it_is_put_and_this_process_stays() {
        let before = std::thread::available_parallelism().unwrap();
        let here = rustix::thread::sched_getaffinity(None).unwrap();
        let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| here.is_set(*cpu)).unwrap();
        let placement = Placement { pin: vec![cpu], nice: Some(19) };
        assert_eq!(placement.granted(), (placement.clone(), vec![]));
        let status = told(&placement, "cat", &["/proc/self/status"]);
        let allowed = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap();
        assert_eq!(allowed.trim(), cpu.to_string());
        assert_eq!(told(&placement, "nice", &[]), "19");
        assert_eq!(std::thread::available_parallelism().unwrap(), before);
    }

    #[test]
    fn what_the_system_does_not_grant_is_a_note() {
        let (granted, notes) = Placement { pin: vec![100_000], nice: Some(19) }.granted();
        assert_eq!(granted, Placement { pin: vec![], nice: Some(19) });
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("steps are not pinned to processor 100000: "), "{notes:?}");
        let usual = Placement::default();
        assert!(usual.is_usual());
        assert_eq!(usual.granted(), (usual.clone(), vec![]));
    }
}
