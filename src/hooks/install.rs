//! Puts hooks beside what is there, takes them away again, and says how things stand.
//!
//! A hook that is there already is renamed, never edited, and the new one hands on to it; taking ours away renames it back,
//! so that its bytes, mode and times are as they were. A hooks folder that is not this repository's own (`core.hooksPath`
//! that leads into the work tree or elsewhere) is not touched unless that is asked for: the line to add is told instead.

use super::script::{self, BESIDE, Previous, SUFFIX};
use super::{Hook, HookError};
use crate::git::Repo;
use crate::phrase;
use crate::phrase::Phrase;
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Where a repository's hooks are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder that git runs hooks from.
    pub folder: PathBuf,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose a hooks folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This repository's own.
    Repository,
    /// In the work tree, where files are committed.
    WorkTree,
    /// Of husky: it writes the folder anew, and runs the files in the one above it.
    Husky {
        /// The folder with the files that it runs.
        above: PathBuf,
    },
    /// Outside the repository: other repositories may share it.
    Elsewhere,
}

/// How a hook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing of ours.
    Absent,
    /// Ours, as it was written by this version.
    Installed,
    /// Ours, as another version wrote it.
    Outdated,
    /// Ours, changed by hand since.
    Edited,
    /// Not ours, but it mentions our command.
    Called,
    /// Ours was replaced: what was there before it is kept, but does not run.
    Replaced,
    /// Ours, but it may not be executed.
    Disabled,
}

impl Standing {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Absent => "absent",
            Standing::Installed => "installed",
            Standing::Outdated => "outdated",
            Standing::Edited => "edited",
            Standing::Called => "called",
            Standing::Replaced => "replaced",
            Standing::Disabled => "disabled",
        }
    }
}

/// How one hook stands.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Its name.
    pub hook: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// Whether one that was there before is kept and handed on to.
    pub hands_on: bool,
    /// The file.
    pub path: PathBuf,
}

/// What was done to one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Its name.
    pub hook: &'static str,
    /// `installed`, `updated`, `unchanged`, `removed`, `restored`, `left`.
    pub what: &'static str,
    /// The hook that was there before, when it is kept or was put back.
    pub previous: Option<PathBuf>,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> HookError + '_ {
    move |source| HookError::Io { path: path.to_path_buf(), source }
}

fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// Finds the folder that git runs this repository's hooks from.
pub fn place(repo: &Repo) -> Result<Place, HookError> {
    let folder = repo.hooks_dir()?;
    let real = resolved(&folder);
    let owner = if real.starts_with(resolved(repo.common_dir())) {
        Owner::Repository
    } else if repo.config_value("core.hooksPath").is_none() {
        // A hooks folder that is a symbolic link.
        Owner::Elsewhere
    } else {
        let root = repo.workdir().ok().map(resolved);
        match real.parent() {
            Some(above) if real.file_name().is_some_and(|name| name == "_") => {
                Owner::Husky { above: above.to_path_buf() }
            }
            _ if root.is_some_and(|root| real.starts_with(root)) => Owner::WorkTree,
            _ => Owner::Elsewhere,
        }
    };
    Ok(Place { folder, owner })
}

impl Place {
    /// The line that calls a hook of ours from a script of the user's own.
    pub fn line(hook: Hook) -> String {
        let name = hook.name();
        let guard = "! command -v git-verdict >/dev/null";
        match hook {
            // Exit status 1 is a refusal that was asked for; any other is a failure, which blocks nothing.
            Hook::CommitMsg | Hook::PrePush => {
                format!("{guard} || git-verdict hook run {name} \"$@\" || test $? -ne 1")
            }
            _ => format!("{guard} || git-verdict hook run {name} \"$@\" || :"),
        }
    }

    /// The file that such a line belongs into.
    pub fn file(&self, hook: Hook) -> PathBuf {
        match &self.owner {
            Owner::Husky { above } => above.join(hook.name()),
            _ => self.folder.join(hook.name()),
        }
    }

    fn foreign(&self, hooks: &[Hook], force: bool) -> Result<(), HookError> {
        let (why, forceable) = match &self.owner {
            Owner::Repository => return Ok(()),
            Owner::Husky { .. } => ("husky writes that folder anew each time it is installed", false),
            Owner::WorkTree => ("it is in the work tree: what is there is committed, and runs for everyone", true),
            Owner::Elsewhere => ("it is outside the repository: other repositories may share it", true),
        };
        if force && forceable {
            return Ok(());
        }
        let line = |hook: &Hook| {
            phrase!("add to {file}:\n  {line}", file = self.file(*hook).display(), line = Place::line(*hook))
        };
        let mut lines: Vec<Phrase> = hooks.iter().map(line).collect();
        lines.extend(forceable.then(|| "or: git verdict hook install --force".into()));
        Err(HookError::Refused {
            what: phrase!("the hooks of this repository are in {folder}", folder = self.folder.display()),
            why: why.into(),
            next: Phrase::joined(lines, "\n"),
        })
    }
}

/// Installs hooks. `program` is started by them when there is no `git-verdict` in `PATH`. When one of them cannot be
/// installed, none is.
pub fn install(repo: &Repo, hooks: &[Hook], program: &Path, force: bool) -> Result<Vec<Done>, HookError> {
    let place = place(repo)?;
    place.foreign(hooks, force)?;
    match place.folder.metadata() {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            return Err(HookError::Refused {
                what: phrase!("{folder} is no folder", folder = place.folder.display()),
                why: "core.hooksPath switches hooks off in this repository".into(),
                next: "git config --show-origin --get core.hooksPath".into(),
            });
        }
        Err(_) => std::fs::create_dir_all(&place.folder).map_err(io(&place.folder))?,
    }
    let plans: Vec<Slot> = hooks.iter().map(|hook| Slot::look(&place.folder, *hook)).collect::<Result<_, _>>()?;
    for slot in &plans {
        slot.may_install(force)?;
    }
    plans.into_iter().map(|slot| slot.install(program)).collect()
}

/// Takes all hooks of ours away and puts back what was there before.
pub fn uninstall(repo: &Repo, force: bool) -> Result<Vec<Done>, HookError> {
    let folder = place(repo)?.folder;
    let slots: Vec<Slot> = Hook::ALL.iter().map(|hook| Slot::look(&folder, *hook)).collect::<Result<_, _>>()?;
    for slot in &slots {
        slot.may_remove(force)?;
    }
    let done: Vec<Done> =
        slots.into_iter().filter_map(|slot| slot.remove().transpose()).collect::<Result<_, HookError>>()?;
    let beside = beside(&folder);
    match std::fs::remove_dir(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&beside)(error)),
        _ => Ok(done),
    }
}

/// How all hooks stand.
pub fn status(repo: &Repo, program: &Path) -> Result<(Place, Vec<Status>), HookError> {
    let place = place(repo)?;
    let mut found = Vec::new();
    for hook in Hook::ALL {
        let slot = Slot::look(&place.folder, hook)?;
        let mut path = slot.path.clone();
        let mut standing = slot.standing(program);
        if standing == Standing::Absent
            && let Ok(bytes) = std::fs::read(place.file(hook))
            && calls(&bytes, hook)
        {
            path = place.file(hook);
            standing = Standing::Called;
        }
        found.push(Status { hook: hook.name(), standing, hands_on: slot.hands_on(), path });
    }
    Ok((place, found))
}

/// Whether a script of the user's own calls a hook of ours.
fn calls(bytes: &[u8], hook: Hook) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let called = |line: &str| {
        line.contains(&format!("hook run {}", hook.name())) && line.contains("verdict") && !line.trim().starts_with('#')
    };
    text.lines().any(called)
}

fn beside(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(folder).join(BESIDE)
}

/// One hook's place and what is in it.
struct Slot {
    hook: Hook,
    path: PathBuf,
    /// The bytes of what is there (of a link, of what it leads to); none when nothing is.
    bytes: Option<Vec<u8>>,
    /// Whether it is a symbolic link.
    is_link: bool,
    /// Whether it may be executed.
    runs: bool,
    /// Where the hook that was there before is kept.
    kept: PathBuf,
    /// Whether there is one.
    has_kept: bool,
}

impl Slot {
    fn look(folder: &Path, hook: Hook) -> Result<Slot, HookError> {
        let path = folder.join(hook.name());
        let kept = folder.join(format!("{}{SUFFIX}", hook.name()));
        let has_kept = kept.symlink_metadata().is_ok();
        let (mut bytes, mut is_link, mut runs) = (None, false, false);
        if let Ok(meta) = path.symlink_metadata() {
            if meta.is_dir() {
                return Err(HookError::Refused {
                    what: phrase!("{path} is a folder", path = path.display()),
                    why: "git runs a file of that name".into(),
                    next: "move it away".into(),
                });
            }
            is_link = meta.is_symlink();
            // A link that leads nowhere is kept as it is.
            bytes = Some(match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(_) if is_link => Vec::new(),
                Err(error) => return Err(io(&path)(error)),
            });
            runs = path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
        }
        Ok(Slot { hook, path, bytes, is_link, runs, kept, has_kept })
    }

    fn ours(&self) -> bool {
        !self.is_link && self.bytes.as_deref().is_some_and(script::is_ours)
    }

    fn hands_on(&self) -> bool {
        self.ours() && self.has_kept && self.bytes.as_deref().is_some_and(script::hands_on)
    }

    /// Whether a hook that is not ours is in our place.
    fn foreign(&self) -> bool {
        self.bytes.is_some() && !self.ours()
    }

    fn edited(&self) -> bool {
        self.ours() && !self.bytes.as_deref().is_some_and(script::is_intact)
    }

    fn standing(&self, program: &Path) -> Standing {
        let Some(bytes) = &self.bytes else {
            return if self.has_kept { Standing::Replaced } else { Standing::Absent };
        };
        if !self.ours() {
            return match (self.has_kept, calls(bytes, self.hook)) {
                (true, _) => Standing::Replaced,
                (_, true) => Standing::Called,
                _ => Standing::Absent,
            };
        }
        if !self.runs {
            Standing::Disabled
        } else if self.edited() {
            Standing::Edited
        } else if self.previous().is_ok_and(|p| *bytes == script::text(self.hook, &p, program).into_bytes()) {
            Standing::Installed
        } else {
            Standing::Outdated
        }
    }

    /// Whether the hook that was there before us is back, just as it was: its owner was installed once more. Nothing is lost then
    /// when either of the two goes.
    fn came_back(&self) -> bool {
        let is = |path: &Path| {
            let meta = path.symlink_metadata().ok()?;
            let content = if meta.is_symlink() {
                std::fs::read_link(path).ok()?.into_os_string().into_encoded_bytes()
            } else {
                std::fs::read(path).ok()?
            };
            Some((content, meta.permissions().mode(), meta.is_symlink()))
        };
        self.foreign() && self.has_kept && is(&self.path) == is(&self.kept) && !self.moved_aside()
    }

    /// Whether ours lies beside under a longer name, as pre-commit's `.legacy` does, which its own hook calls: in its place again
    /// the two would call each other without end.
    fn moved_aside(&self) -> bool {
        let Some(entries) = self.path.parent().and_then(|folder| std::fs::read_dir(folder).ok()) else { return false };
        let longer = |name: &str| name.strip_prefix(self.hook.name()).is_some_and(|rest| rest.starts_with('.'));
        entries.flatten().any(|entry| {
            entry.file_name().to_str().is_some_and(longer)
                && std::fs::read(entry.path()).is_ok_and(|bytes| script::is_ours(&bytes))
        })
    }

    fn may_install(&self, force: bool) -> Result<(), HookError> {
        if self.edited() && !force {
            return Err(self.edited_by_hand("install"));
        }
        if self.foreign() && self.has_kept && !self.came_back() {
            return Err(HookError::Refused {
                what: phrase!("{path} was put in place of the hook of git-verdict", path = self.path.display()),
                why: phrase!("{kept} still holds what was there before", kept = self.kept.display()),
                next: phrase!("look at both, then: rm {kept}", kept = self.kept.display()),
            });
        }
        Ok(())
    }

    fn may_remove(&self, force: bool) -> Result<(), HookError> {
        if self.edited() && !force { Err(self.edited_by_hand("uninstall")) } else { Ok(()) }
    }

    fn edited_by_hand(&self, command: &str) -> HookError {
        HookError::Refused {
            what: phrase!("{path} was edited by hand", path = self.path.display()),
            why: "what was added to it would be lost".into(),
            next: phrase!("move it to a hook of your own, or: git verdict hook {command} --force", command),
        }
    }

    /// What was there before, once it is kept.
    fn previous(&self) -> Result<Previous, HookError> {
        let Ok(meta) = self.kept.symlink_metadata() else { return Ok(Previous::None) };
        // A link that leads nowhere does not run, before or after.
        let bytes = std::fs::read(&self.kept).unwrap_or_default();
        Ok(Previous::of(&bytes, meta.is_symlink()))
    }

    fn install(mut self, program: &Path) -> Result<Done, HookError> {
        let moves = self.foreign() && !self.came_back();
        let previous = match (moves, &self.bytes) {
            (true, Some(bytes)) => Previous::of(bytes, self.is_link),
            _ => self.previous()?,
        };
        let text = script::text(self.hook, &previous, program);
        let name = self.hook.name();
        if self.bytes.as_deref() == Some(text.as_bytes()) && self.runs {
            let previous = self.has_kept.then(|| self.kept.clone());
            return Ok(Done { hook: name, what: "unchanged", previous });
        }
        let what = if self.ours() { "updated" } else { "installed" };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io(folder))?;
        file.write_all(text.as_bytes()).map_err(io(&self.path))?;
        let mode = std::fs::Permissions::from_mode(0o755);
        file.as_file().set_permissions(mode).map_err(io(&self.path))?;
        if previous == Previous::Program {
            self.link_beside(folder)?;
        }
        if moves {
            std::fs::rename(&self.path, &self.kept).map_err(io(&self.kept))?;
            self.has_kept = true;
        }
        if let Err(error) = file.persist(&self.path) {
            if moves {
                std::fs::rename(&self.kept, &self.path).map_err(io(&self.path))?;
            }
            return Err(io(&self.path)(error.error));
        }
        Ok(Done { hook: name, what, previous: self.has_kept.then_some(self.kept) })
    }

    /// A program finds its own name in `$0`, in a folder as deep as the one that it was in.
    fn link_beside(&self, folder: &Path) -> Result<(), HookError> {
        let beside = beside(folder);
        std::fs::create_dir_all(&beside).map_err(io(&beside))?;
        let link = beside.join(self.hook.name());
        let inner = folder.file_name().map(PathBuf::from).unwrap_or_default();
        let target = Path::new("..").join(inner).join(format!("{}{SUFFIX}", self.hook.name()));
        match symlink(&target, &link) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other.map_err(io(&link)),
        }
    }

    fn remove(self) -> Result<Option<Done>, HookError> {
        let name = self.hook.name();
        let link = beside(self.path.parent().unwrap_or(Path::new("."))).join(name);
        if link.is_symlink() {
            std::fs::remove_file(&link).map_err(io(&link))?;
        }
        match (!self.foreign() || self.came_back(), self.has_kept) {
            (true, true) => {
                std::fs::rename(&self.kept, &self.path).map_err(io(&self.path))?;
                Ok(Some(Done { hook: name, what: "restored", previous: Some(self.path) }))
            }
            (true, false) if self.bytes.is_some() => {
                std::fs::remove_file(&self.path).map_err(io(&self.path))?;
                Ok(Some(Done { hook: name, what: "removed", previous: None }))
            }
            // Another program has taken our place since: neither its hook nor what was there before it is ours to remove.
            (false, true) => Ok(Some(Done { hook: name, what: "left", previous: Some(self.kept) })),
            _ => Ok(None),
        }
    }
}
