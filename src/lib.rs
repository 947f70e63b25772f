//! git-verdict turns an optimization attempt into a measured experiment on a branch, and its outcome into
//! history the whole team can read.
//!
//! Data flows one way, and no module calls back up this line:
//!
//! ```text
//! config -> measure (plan, samples) -> stats (comparison) -> policy (recommendation)
//!        -> decision (verdict, landing) -> ledger (record) -> render (text)
//! ```
//!
//! | module | its one reason to change |
//! |---|---|
//! | [`units`] | how quantities are parsed, converted and printed |
//! | [`digest`] | how content is named by its hash |
//! | [`mod@phrase`] | how a sentence is kept as data until its reader's language is known |
//! | [`error`] | how a failure is explained: what, why, what to try, exit code |
//! | [`config`] | the format of `verdict.toml` |
//! | [`git`] | how git is read (libgit2) and driven (the real `git`) |
//! | [`hidden`] | which checks nobody in the repository can see, and where they come from |
//! | [`measure`] | how a sample is taken |
//! | [`stats`] | how a noisy difference is decided: pure mathematics |
//! | [`grounds`] | what a measurement rested on, and what of it has moved since |
//! | [`guard`] | which reverted experiments a change resembles |
//! | [`inspect`] | what an artefact is made of, and what changed between two |
//! | [`propose`] | what is worth trying next, from findings and history |
//! | [`bisect`] | which commit of a range brought a regression |
//! | [`policy`] | how a comparison becomes a recommendation |
//! | [`experiment`] | the life of an experiment: states and what may follow what |
//! | [`ledger`] | how records are stored, merged and found |
//! | [`decision`] | how a verdict lands in history, and is resumed or undone |
//! | [`recheck`] | which decisions rest on what has moved, and how they are measured again |
//! | [`render`] | what people read |
//! | [`adr`] | how decision files stand in a repository: its habits, what is generated, what has drifted |
//! | [`exchange`] | how numbers of other tools are read, and lists written for them |
//! | [`hooks`] | the git hooks |
//! | [`trust`] | whose commands may be run |
//! | [`schema`] | what machines may rely on in output and configuration |
//! | [`mcp`] | how an agent asks for what a command does, and what it may not ask for |
//! | [`cli`] | arguments and presentation, one file per command |

pub mod adr;
pub mod bisect;
pub mod cli;
pub mod config;
pub mod decision;
pub mod digest;
pub mod error;
pub mod exchange;
pub mod experiment;
pub mod git;
pub mod grounds;
pub mod guard;
pub mod hidden;
pub mod hooks;
pub mod inspect;
pub mod ledger;
pub mod mcp;
pub mod measure;
pub mod phrase;
pub mod policy;
pub mod propose;
pub mod recheck;
pub mod render;
pub mod schema;
pub mod stats;
pub mod trust;
pub mod units;
