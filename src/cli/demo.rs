//! `git verdict demo`: plays the whole story in a small repository of its own, with real builds and real measurements.
//!
//! The project is written from files embedded here; from then on the demo drives git and git-verdict as a user would, and
//! prints each command before it runs. Both decisions follow the recommendation that the measurement led to: where that
//! differs from the story, the demo says so and goes on with what was measured.

mod engine;
mod packages;

use super::measure::duration;
use super::{Ctx, Done};
use crate::digest::sha256;
use crate::error::{Exit, Failure};
use crate::ledger::event::{Decided, Measured, Verdict};
use crate::ledger::{Event, Fact};
use crate::phrase;
use crate::phrase::Phrase;
use crate::policy::{Advice, MetricComparison};
use crate::render::text::shell_word;
use crate::render::{Lang, lang, number};
use crate::stats::Word;
use engine::Engine;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

const BUILD: &str = include_str!("../../demo/project/build.sh");
const MINIPIP: &str = include_str!("../../demo/project/tools/minipip");
const SMOKE: &str = include_str!("../../demo/project/tools/smoke.sh");
const START: &str = include_str!("../../demo/project/app/start.sh");
const CONFIG: &str = include_str!("../../demo/project/verdict.toml");
const README: &str = include_str!("../../demo/project/README.md");
const BASELINE: &str = include_str!("../../demo/options/baseline.Imagefile");
const PIP_CACHE: &str = include_str!("../../demo/options/pip-cache.Imagefile");
const MULTI_STAGE: &str = include_str!("../../demo/options/multi-stage.Imagefile");

/// Text of the base system, in bytes.
const BASE_SYSTEM: usize = 1_500_000;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs git, a POSIX shell, tar and gzip. No file outside the demo's folder is touched; with --engine, \
    the engine's own image store is used."
)]
pub struct Args {
    /// Build real images with this engine instead of the demo's own small builder
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// Make the repository in this folder, which must be empty or new (default: a new temporary one)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measure each option for this long, such as 10s, however clear the answer is (default: 25s, and 75s more without one)
    #[arg(long, value_name = "TIME", value_parser = |text: &str| duration(text).map(|_| text.to_string()))]
    budget: Option<String>,
}

/// One of the two options of the story.
struct Play {
    name: &'static str,
    title: &'static str,
    hypothesis: &'static str,
    subject: &'static str,
    /// What the recipe becomes.
    recipe: &'static str,
    /// How the story ends.
    story: Verdict,
    /// What it costs whoever maintains the build, for the reason.
    price: &'static str,
}

/// How an option was decided.
struct Outcome {
    verdict: Verdict,
    decided: Decided,
}

pub fn run(ctx: &Ctx, args: Args) -> Done {
    let missing = missing_tools();
    if !missing.is_empty() {
        return Err(Failure::state(phrase!("the demo needs {missing}", missing = missing.join(", ")))
            .because("not found on the PATH"));
    }
    let kit = args.engine.map(engine::Kit::find).transpose()?;
    let dir = folder(args.dir.as_deref())?;
    let stage = Stage::new(ctx, &dir, args.budget.as_deref())?;
    stage.play(kit.as_ref()).map_err(|mut failure| {
        if failure.exit != Exit::Done {
            failure.next.get_or_insert_with(|| phrase!("look at what the demo left in {dir}", dir = dir.display()));
        }
        failure
    })
}

/// The tools without which there is no demo, as far as they are not there.
fn missing_tools() -> Vec<&'static str> {
    let works = |words: &[&str]| {
        let (program, rest) = (words[0], &words[1..]);
        Command::new(program)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    let mut missing: Vec<&str> = [["git", "--version"], ["sh", "-c"], ["tar", "--version"], ["gzip", "--version"]]
        .iter()
        .filter(|words| !works(*words))
        .map(|words| words[0])
        .collect();
    if !works(&["sha256sum", "--version"]) && !works(&["shasum", "--version"]) {
        missing.push("sha256sum or shasum");
    }
    missing
}

/// The folder that was asked for, or a new temporary one, as an absolute path.
fn folder(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::state(phrase!("{path} cannot be used", path = path.display()))
            .because(error.to_string())
            .try_next("--dir DIR")
    };
    let Some(path) = wanted else {
        let temporary = tempfile::Builder::new().prefix("git-verdict-demo-").tempdir();
        return Ok(temporary.map_err(|error| failed(&std::env::temp_dir(), error))?.keep());
    };
    std::fs::create_dir_all(path).map_err(|error| failed(path, error))?;
    if std::fs::read_dir(path).map_err(|error| failed(path, error))?.next().is_some() {
        return Err(
            Failure::usage(phrase!("{path} is not empty", path = path.display())).try_next("--dir with a new folder")
        );
    }
    path.canonicalize().map_err(|error| failed(path, error))
}

/// The repository that the story is played in, and how commands are run there.
struct Stage<'a> {
    ctx: &'a Ctx,
    dir: &'a Path,
    exe: PathBuf,
    /// How long each option is measured, when that was said.
    budget: Option<&'a str>,
}

impl<'a> Stage<'a> {
    fn new(ctx: &'a Ctx, dir: &'a Path, budget: Option<&'a str>) -> Result<Self, Failure> {
        let exe = std::env::current_exe()
            .map_err(|error| Failure::state("this program cannot find itself").because(error.to_string()))?;
        Ok(Stage { ctx, dir, exe, budget })
    }

    fn play(&self, kit: Option<&engine::Kit>) -> Done {
        let recipe = if kit.is_some() { "Containerfile" } else { "Imagefile" };
        let texts = kit.map_or([BASELINE, PIP_CACHE, MULTI_STAGE], |_| engine::RECIPES);
        self.say(phrase!(
            "A small service in {dir}. Its image holds a base system, 12 packages and the app:",
            dir = self.dir.display()
        ))?;
        self.lay(kit, recipe, texts[0])?;
        if kit.is_none() {
            self.show("sh", &["build.sh"], "sh build.sh")?;
        }
        self.say("The step that installs the packages leaves their archives in a cache that ends up in the image.")?;

        let pip_cache = Play {
            name: "pip-cache",
            title: "package cache purge",
            hypothesis: "Purging the package cache in the step that fills it makes the image smaller and the build faster",
            subject: "perf: purge the package cache in the step that fills it",
            recipe: texts[1],
            story: Verdict::Keep,
            price: "one changed line",
        };
        self.say("\nOption 1: one line.")?;
        let first = self.option(&pip_cache, recipe, None)?;

        let multi_stage = Play {
            name: "multi-stage",
            title: "multi-stage build",
            hypothesis: "Installing in a stage of its own and copying only what is needed makes the image smaller still",
            subject: "perf: build the image in two stages",
            recipe: texts[2],
            story: Verdict::Revert,
            price: "a second stage to maintain",
        };
        let ground = (first.verdict == Verdict::Keep).then_some(pip_cache.name);
        self.say(match ground {
            Some(_) => "\nOption 2, on top of it: a second stage.",
            None => "\nOption 2, without the first one: a second stage.",
        })?;
        let second = self.option(&multi_stage, recipe, ground)?;

        self.say("\nThe decision as a file, for those who read no git log:")?;
        self.verdict(&["adr", "new", multi_stage.name, "--commit"])?;
        self.finish(kit, &first, &second, &multi_stage)
    }

    /// Writes the project and makes it a repository that no configuration of the user reaches into.
    fn lay(&self, kit: Option<&engine::Kit>, recipe: &str, text: &str) -> Result<(), Failure> {
        let sums = packages::write(&self.made("vendor")?)
            .and_then(|archives| checksums(&self.dir.join("vendor"), &archives))
            .map_err(|error| self.unwritable("vendor", error))?;
        let requirements = packages::requirements();
        let mut files: Vec<(&str, &[u8], u32)> = vec![
            ("vendor/SHA256SUMS", sums.as_bytes(), 0o644),
            ("app/requirements.txt", requirements.as_bytes(), 0o644),
            ("app/start.sh", START.as_bytes(), 0o755),
            ("tools/minipip", MINIPIP.as_bytes(), 0o755),
            (".gitignore", b"/out\n", 0o644),
            (recipe, text.as_bytes(), 0o644),
        ];
        let config;
        match kit {
            Some(kit) => {
                config = kit.config();
                files.push(("verdict.toml", config.as_bytes(), 0o644));
                files.push((".dockerignore", b"out\n.git\n", 0o644));
                kit.lay_base(&self.dir.join("base")).map_err(|error| self.unwritable("base", error))?;
            }
            None => {
                files.push(("verdict.toml", CONFIG.as_bytes(), 0o644));
                files.push(("README.md", README.as_bytes(), 0o644));
                files.push(("build.sh", BUILD.as_bytes(), 0o755));
                files.push(("tools/smoke.sh", SMOKE.as_bytes(), 0o755));
            }
        }
        for (path, bytes, mode) in files {
            self.write(path, bytes, mode)?;
        }
        for (path, bytes) in packages::base_system(BASE_SYSTEM) {
            self.write(&format!("base/{path}"), &bytes, 0o644)?;
        }
        self.git(&["init", "--quiet", "--initial-branch=main", "--template="])?;
        let hooks = self.dir.join(".git/hooks");
        let hooks = hooks.to_string_lossy();
        for (key, value) in [
            ("user.name", "Demo"),
            ("user.email", "demo@example.invalid"),
            ("commit.gpgSign", "false"),
            ("tag.gpgSign", "false"),
            ("gpg.format", "openpgp"),
            ("commit.cleanup", "default"),
            ("commit.verbose", "false"),
            ("core.hooksPath", &*hooks),
            ("core.autocrlf", "false"),
            ("core.fileMode", "true"),
            ("core.excludesFile", "/dev/null"),
            ("core.attributesFile", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.pager", "cat"),
            ("log.showSignature", "false"),
            ("merge.verifySignatures", "false"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ] {
            self.quietly("git", &["config", key, value])?;
        }
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "-m", "feat: package the service as an image"])
    }

    /// Plays one option: start, change, measure, decide.
    fn option(&self, play: &Play, recipe: &str, ground: Option<&'static str>) -> Result<Outcome, Failure> {
        let mut start = vec!["start", play.name];
        if let Some(ground) = ground {
            start.extend(["--on", ground]);
        }
        let hypothesis = self.ctx.tell(play.hypothesis);
        start.extend(["--title", play.title, "--hypothesis", &hypothesis]);
        self.verdict(&start)?;
        self.write(recipe, play.recipe.as_bytes(), 0o644)?;
        self.git(&["diff", "--unified=0", recipe])?;
        self.git(&["commit", "--quiet", "-am", play.subject])?;
        self.verdict(&["measure", "--budget", self.budget.unwrap_or("25s")])?;
        let mut measured = self.measured(play.name)?;
        if measured.recommendation.advice == Advice::MeasureMore && self.budget.is_none() {
            self.say("This machine is too busy for a clear answer in that time; once more, for longer:")?;
            self.verdict(&["measure", "--budget", "75s"])?;
            measured = self.measured(play.name)?;
        }
        let verdict = match measured.recommendation.advice {
            Advice::Keep => Verdict::Keep,
            Advice::Revert | Advice::TradeOff | Advice::MeasureMore => Verdict::Revert,
        };
        if verdict != play.story {
            self.say(phrase!(
                "On this machine the numbers say {advice}, where the story says {story}. The numbers decide:",
                advice = lang::advice(self.ctx.lang, measured.recommendation.advice),
                story = Phrase::from(play.story.as_str())
            ))?;
        }
        let because = self.ctx.tell(reason(&measured, verdict, play));
        match verdict {
            Verdict::Keep => self.verdict(&["keep", play.name, "--because", &because])?,
            Verdict::Revert => self.verdict(&["revert", play.name, "--mode", "merge", "--because", &because])?,
        }
        let decided = self
            .facts(play.name)?
            .into_iter()
            .rev()
            .find_map(|fact| if let Fact::Decided(decided) = fact { Some(*decided) } else { None })
            .ok_or_else(|| Failure::state(phrase!("the ledger holds no decision on {name}", name = &play.name)))?;
        Ok(Outcome { verdict, decided })
    }

    /// Shows what is in history now, and where to go on.
    fn finish(&self, kit: Option<&engine::Kit>, first: &Outcome, second: &Outcome, last: &Play) -> Done {
        self.say("\nWhat the team's history says now:")?;
        self.git(&["log", "--graph", "--oneline"])?;
        self.verdict(&["log"])?;
        let commit = second.decided.revert_commit.as_ref().or(second.decided.landed.as_ref());
        let Some(commit) = commit else {
            return Err(Failure::state(phrase!("the decision on {name} names no commit", name = &last.name)));
        };
        self.say("\nThe commit of the second decision, made by git itself, and its trailers as git reads them:")?;
        self.git(&["show", "--no-patch", commit.short()])?;
        let pipe = format!("git log -1 --format=%B {} | git interpret-trailers --parse", commit.short());
        self.show("sh", &["-c", &pipe], &pipe)?;
        if second.verdict == Verdict::Revert {
            self.say("\nNothing of the reverted option is left in the files:")?;
            let base = second.decided.base.commit.short();
            self.git(&["diff", "--stat", base, "main", "--", ".", ":!docs"])?;
        }
        let adr = self.newest_decision_file()?;
        self.show("cat", &[&adr], &format!("cat {adr}"))?;

        let dir = &self.dir.display().to_string();
        let word = |outcome: &Outcome| match outcome.verdict {
            Verdict::Keep => Phrase::from("kept"),
            Verdict::Revert => Phrase::from("reverted"),
        };
        self.say(phrase!(
            "\nDone: pip-cache {first}, multi-stage {second}. The repository is in {dir}",
            first = word(first),
            second = word(second),
            dir
        ))?;
        let call = if on_path() { "git verdict".to_string() } else { self.exe.display().to_string() };
        let (base, candidate) = (first.decided.base.commit.short(), first.decided.candidate.commit.short());
        self.say("To go on:")?;
        self.say(format!("  cd {dir}\n  {call} show pip-cache\n  {call} compare pip-cache multi-stage"))?;
        match kit {
            Some(kit) => self.say(format!("  {}", kit.clean_up()))?,
            None => self.say(format!("  {call} weigh {base} {candidate} --time 'sh build.sh' --size out/image"))?,
        }
        self.say(format!("  rm -rf {dir}"))?;
        self.ctx.emit(
            "demo",
            json!({
                "dir": self.dir, "adr": adr,
                "decisions": [
                    {"name": "pip-cache", "verdict": first.verdict, "decided": first.decided},
                    {"name": last.name, "verdict": second.verdict, "decided": second.decided},
                ],
            }),
        )?;
        Ok(Exit::Done)
    }

    fn newest_decision_file(&self) -> Result<String, Failure> {
        let listed = self.quietly("git", &["ls-files", "docs/adr"])?;
        let newest = listed.lines().max().map(str::to_string);
        newest.ok_or_else(|| Failure::state("there is no decision file in docs/adr"))
    }

    /// The latest measurement of an experiment, as `show --json` gives it.
    fn measured(&self, name: &str) -> Result<Measured, Failure> {
        let measured = self.facts(name)?.into_iter().rev().find_map(|fact| match fact {
            Fact::Measured(measured) => Some(*measured),
            _ => None,
        });
        measured.ok_or_else(|| Failure::state(phrase!("the ledger holds no measurement of {name}", name)))
    }

    fn facts(&self, name: &str) -> Result<Vec<Fact>, Failure> {
        let program = self.exe.to_string_lossy();
        let text = self.quietly(&program, &["show", name, "--json"])?;
        let odd = |why: String| Failure::state("show --json printed something else").because(why);
        let value: Value = serde_json::from_str(&text).map_err(|error| odd(error.to_string()))?;
        let events = value.get("events").cloned().ok_or_else(|| odd("there are no events in it".into()))?;
        let events: Vec<Event> = serde_json::from_value(events).map_err(|error| odd(error.to_string()))?;
        Ok(events.into_iter().map(|event| event.fact).collect())
    }

    /// Runs git where the reader sees it.
    fn git(&self, words: &[&str]) -> Result<(), Failure> {
        self.show("git", words, &line("git", words))
    }

    /// Runs this program where the reader sees it.
    fn verdict(&self, words: &[&str]) -> Result<(), Failure> {
        let mut words = words.to_vec();
        if self.ctx.lang != Lang::default() {
            words.extend(["--lang", self.ctx.lang.code()]);
        }
        let program = self.exe.to_string_lossy();
        self.show(&program, &words, &line("git verdict", &words))
    }

    /// Prints a command and runs it with its output where the reader sees it; standard error with `--json`.
    fn show(&self, program: &str, words: &[&str], text: &str) -> Result<(), Failure> {
        self.say(console::style(format!("$ {text}")).bold().force_styling(self.ctx.color).to_string())?;
        let mut command = self.command(program, words);
        if self.ctx.json {
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            command
                .stdout(stderr.map_err(|error| Failure::state("standard error is closed").because(error.to_string()))?);
        }
        let status = command.status().map_err(|error| {
            Failure::state(phrase!("{program} cannot be started", program)).because(error.to_string())
        })?;
        ended(text, status)
    }

    /// Runs a command out of sight; what it prints.
    fn quietly(&self, program: &str, words: &[&str]) -> Result<String, Failure> {
        let output = self.command(program, words).output();
        let output = output.map_err(|error| {
            Failure::state(phrase!("{program} cannot be started", program)).because(error.to_string())
        })?;
        ended(&line(program, words), output.status)
            .map_err(|failure| failure.because(String::from_utf8_lossy(&output.stderr).trim().to_string()))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A command in the demo's repository, out of reach of the user's git configuration and of a repository around this
    /// process.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(self.dir).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_git_variable(name)) {
            command.env_remove(name);
        }
        // The commands are this program's own, also where CI is set.
        command.env(crate::trust::VARIABLE, "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_PAGER", "cat");
        // Every command in this repository was written by this program, which matters where CI is set.
        command.env("GIT_VERDICT_TRUST", "1");
        if !self.ctx.color {
            command.env("NO_COLOR", "1");
        }
        command
    }

    /// Prints a line for the reader; on standard error with `--json`.
    fn say(&self, text: impl Into<Phrase>) -> Result<(), Failure> {
        if self.ctx.json {
            self.ctx.note(text);
            return Ok(());
        }
        self.ctx.say(text)
    }

    fn made(&self, folder: &str) -> Result<PathBuf, Failure> {
        let path = self.dir.join(folder);
        std::fs::create_dir_all(&path).map_err(|error| self.unwritable(folder, error))?;
        Ok(path)
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), Failure> {
        write_file(&self.dir.join(path), bytes, mode).map_err(|error| self.unwritable(path, error))
    }

    fn unwritable(&self, path: &str, error: std::io::Error) -> Failure {
        Failure::state(phrase!("{path} cannot be written", path = self.dir.join(path).display()))
            .because(error.to_string())
    }
}

/// Writes a file with its folders and its mode.
fn write_file(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// The text of a checksum file, as `sha256sum` writes it.
fn checksums(folder: &Path, archives: &[String]) -> std::io::Result<String> {
    let mut text = String::new();
    for name in archives {
        let digest = sha256(std::fs::read(folder.join(name))?);
        text.push_str(&format!("{digest}  {name}\n"));
    }
    Ok(text)
}

fn is_git_variable(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("GIT_") && name != "GIT_EXEC_PATH")
}

fn on_path() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join("git-verdict").is_file())
}

fn ended(text: &str, status: ExitStatus) -> Result<(), Failure> {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        return Ok(());
    }
    let exit = match (status.code(), status.signal()) {
        (Some(130), _) | (None, Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP)) => Exit::Interrupted,
        (Some(4), _) => Exit::Step,
        _ => Exit::State,
    };
    Err(Failure::new(exit, phrase!("{text} failed: {status}", text, status)))
}

/// A command line as it would be typed, broken before a flag where it gets long.
fn line(program: &str, words: &[&str]) -> String {
    let mut text = program.to_string();
    let mut column = text.len();
    for (index, word) in words.iter().enumerate() {
        let shown = shell_word(word);
        let with_value =
            words.get(index + 1).filter(|_| word.starts_with("--")).map_or(0, |next| shell_word(next).len() + 1);
        if word.starts_with("--") && column + 1 + shown.len() + with_value > 96 {
            text.push_str(" \\\n   ");
            column = 3;
        }
        text.push(' ');
        text.push_str(&shown);
        column += 1 + shown.len();
    }
    text
}

/// The reason of a decision, in the numbers that were measured.
fn reason(measured: &Measured, verdict: Verdict, play: &Play) -> Phrase {
    let moved = |row: &MetricComparison| {
        let change = number::pair(&row.unit, row.base, row.candidate).size;
        let metric = &row.metric;
        if row.absolute() < 0.0 {
            phrase!("{change} less {metric}", change, metric)
        } else {
            phrase!("{change} more {metric}", change, metric)
        }
    };
    let of = |word: Word| measured.comparison.iter().filter(|row| row.word == word).map(moved).collect::<Vec<_>>();
    let (gains, losses) = (of(Word::Improved), of(Word::Regressed));
    let price = Phrase::from(play.price);
    match (verdict, gains.is_empty(), losses.is_empty()) {
        (Verdict::Keep, _, true) => phrase!("{gains} for {price}", gains, price),
        (Verdict::Keep, ..) => phrase!("{gains} is worth {losses} and {price}", gains, losses, price),
        (Verdict::Revert, false, false) => phrase!("{gains} is not worth {losses} and {price}", gains, losses, price),
        (Verdict::Revert, true, false) => phrase!("{losses}, and nothing gained for {price}", losses, price),
        (Verdict::Revert, false, true) => phrase!("{gains} is not enough for {price}", gains, price),
        (Verdict::Revert, true, true) => phrase!("nothing that matters has changed for {price}", price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_broken_before_a_flag_and_can_be_pasted() {
        let text = "a hypothesis that's so long that it does not fit beside the name of the experiment at all";
        let shown = line("git verdict", &["start", "pip-cache", "--on", "main", "--hypothesis", text]);
        assert_eq!(
            shown,
            format!("git verdict start pip-cache --on main \\\n    --hypothesis '{}'", text.replace('\'', "'\\''"))
        );
        let echoed = Command::new("sh").args(["-c", &shown.replace("git verdict", "printf '%s\\n'")]).output().unwrap();
        let lines = String::from_utf8(echoed.stdout).unwrap();
        assert_eq!(lines.lines().collect::<Vec<_>>(), ["start", "pip-cache", "--on", "main", "--hypothesis", text]);
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let full = tempfile::tempdir().unwrap();
        std::fs::write(full.path().join("mine"), "").unwrap();
        let failure = folder(Some(full.path())).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.what.contains("is not empty"), "{failure}");
        assert!(full.path().join("mine").exists());
    }
}
