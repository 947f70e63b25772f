//! How a failure is explained: what happened, why, the next command to try, and the exit code.
//!
//! Each layer has an error enum of its own that implements [`Explain`]; the command line turns any of them into a
//! [`Failure`] and prints it in one shape.

use crate::phrase::Phrase;
use std::fmt;

/// The exit codes of the program, as documented in `docs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done = 0,
    /// 1: the answer is no (a check failed, a regression was measured under `check`).
    No = 1,
    /// 2: bad usage, configuration or input.
    Usage = 2,
    /// 3: the state of the repository forbids it.
    State = 3,
    /// 4: a step or a check failed while measuring.
    Step = 4,
    /// 125: `bisect --step` cannot tell, and `git bisect run` is to skip the commit.
    Skip = 125,
    /// 128: `bisect --step` failed, and `git bisect run` is to stop.
    Abort = 128,
    /// 130: interrupted.
    Interrupted = 130,
}

/// An error that can tell its reader what to do about it.
pub trait Explain: std::error::Error {
    /// The exit code that this error ends the program with.
    fn exit(&self) -> Exit;
    /// What happened, with its values apart from its words. Its English text is the error's `Display`.
    fn what(&self) -> Phrase {
        Phrase::verbatim(self.to_string())
    }
    /// Why it happened, when the message alone does not say.
    fn why(&self) -> Option<Phrase> {
        None
    }
    /// The next command to try.
    fn next(&self) -> Option<Phrase> {
        None
    }
}

/// A failure ready to be shown: the common form of every layer's errors.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened.
    pub what: Phrase,
    /// Why it happened.
    pub why: Option<Phrase>,
    /// The next command to try.
    pub next: Option<Phrase>,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// A failure with neither reason nor advice yet.
    pub fn new(exit: Exit, what: impl Into<Phrase>) -> Self {
        Failure { what: what.into(), why: None, next: None, exit }
    }
    /// Bad usage, configuration or input (exit 2).
    pub fn usage(what: impl Into<Phrase>) -> Self {
        Failure::new(Exit::Usage, what)
    }
    /// The state of the repository forbids it (exit 3).
    pub fn state(what: impl Into<Phrase>) -> Self {
        Failure::new(Exit::State, what)
    }
    /// Adds the reason.
    pub fn because(mut self, why: impl Into<Phrase>) -> Self {
        self.why = Some(why.into());
        self
    }
    /// Adds the next command to try.
    pub fn try_next(mut self, next: impl Into<Phrase>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

/// `Failure` deliberately is no `std::error::Error`, so that every layer's error converts into it.
impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut what = vec![error.what()];
        let mut told = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !told.contains(&text) {
                told.push_str(&format!(": {text}"));
                what.push(text.into());
            }
            source = inner.source();
        }
        let what = if what.len() == 1 { what.remove(0) } else { Phrase::joined(what, ": ") };
        Failure { what, why: error.why(), next: error.next(), exit: error.exit() }
    }
}

/// `Display` of an error that implements [`Explain::what`]: its English sentence.
macro_rules! display_what {
    ($error:ty) => {
        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::error::Explain::what(self).fmt(f)
            }
        }
    };
}
pub(crate) use display_what;
