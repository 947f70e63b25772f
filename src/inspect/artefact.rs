//! Any artefact by what a person would call it: which kind it is, and the change between two of one kind.

use super::archive::{self, Archive};
use super::binary::{self, Binary};
use super::buildlog::{self, BuildLog, LogFormat};
use super::diff::{self, Attribution, Size};
use super::dockerfile::Dockerfile;
use super::folder::{self, Folder};
use super::gitdir::{self, GitDir};
use super::image::{self, Compression, Format, Image, Options};
use super::{InspectError, Limits, tarscan};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// The names of a Dockerfile that need not be told.
pub const DOCKERFILES: [&str; 2] = ["Dockerfile", "Containerfile"];

/// One artefact, laid open.
#[derive(Debug)]
pub enum Artefact {
    /// A container image.
    Image(Box<Image>),
    /// A folder.
    Folder(Box<Folder>),
    /// A tar or zip.
    Archive(Box<Archive>),
    /// An ELF file.
    Binary(Box<Binary>),
    /// A git directory.
    GitDir(Box<GitDir>),
    /// A build log.
    Log(Box<BuildLog>),
}

impl Artefact {
    /// What it is, in a word: `image`, `folder`, `archive`, `binary`, `git`, `log`.
    pub fn kind(&self) -> &'static str {
        match self {
            Artefact::Image(_) => "image",
            Artefact::Folder(_) => "folder",
            Artefact::Archive(_) => "archive",
            Artefact::Binary(_) => "binary",
            Artefact::GitDir(_) => "git",
            Artefact::Log(_) => "log",
        }
    }
}

/// Lays open what a person would write: a file or folder, seen from `root`, or an image by reference or with a transport in
/// front ([`image::open`]).
///
/// What a path is shows in itself: a git directory, an image in a folder or archive, any other folder or archive, an ELF
/// file, a build log.
pub fn open(root: &Path, what: &str, options: &Options) -> Result<Artefact, InspectError> {
    if what.is_empty() {
        return Err(InspectError::format("''", "this is no name of anything"));
    }
    let path = root.join(what);
    if image::is_marked(what) || !path.exists() {
        if what.starts_with(['/', '.', '~']) {
            // It can be no reference; the error says why it is no path.
            std::fs::metadata(&path).map_err(|e| InspectError::io(&path, e))?;
        }
        return image::open(root, what, options).map(|image| Artefact::Image(Box::new(image)));
    }
    if path.is_dir() { of_folder(&path, options) } else { of_file(&path, options) }
}

fn of_folder(path: &Path, options: &Options) -> Result<Artefact, InspectError> {
    if path.join("HEAD").is_file() && path.join("objects").is_dir() {
        return Ok(Artefact::GitDir(Box::new(gitdir::read(path, &options.limits)?)));
    }
    let layout = path.join("oci-layout").is_file() || path.join("index.json").is_file() && path.join("blobs").is_dir();
    if layout {
        return Ok(Artefact::Image(Box::new(image::read(path, options)?)));
    }
    // Many a folder has a `manifest.json` that is none of an image.
    if path.join("manifest.json").is_file()
        && let Ok(image) = image::read(path, options)
    {
        return Ok(Artefact::Image(Box::new(image)));
    }
    Ok(Artefact::Folder(Box::new(folder::read(path, &options.limits)?)))
}

fn of_file(path: &Path, options: &Options) -> Result<Artefact, InspectError> {
    let io = |e| InspectError::io(path, e);
    let mut head = Vec::new();
    File::open(path).map_err(io)?.take(512).read_to_end(&mut head).map_err(io)?;
    match form_of(&head) {
        Form::Binary => return Ok(Artefact::Binary(Box::new(binary::read(path, &options.limits)?))),
        Form::Packed => {}
        Form::Zip => return Ok(Artefact::Archive(Box::new(archive::read(path, &options.limits)?))),
        Form::Text => {
            let log = read_log(path)?;
            if log.format != LogFormat::Unknown {
                return Ok(Artefact::Log(Box::new(log)));
            }
            // A zip may have anything in front.
            return archive::read(path, &options.limits).map(|a| Artefact::Archive(Box::new(a))).map_err(|_| {
                let what = "this is no image, archive, ELF binary or build log of a form that is known";
                InspectError::format(path.display().to_string(), what)
            });
        }
    }
    match image::read(path, options) {
        Ok(image) => Ok(Artefact::Image(Box::new(image))),
        Err(error @ InspectError::Choice { .. }) => Err(error),
        // What has no manifest may be any tarball; when it is none either, the first error says more of a cut one.
        Err(error) => match archive::read(path, &options.limits) {
            Ok(archive) => Ok(Artefact::Archive(Box::new(archive))),
            Err(_) => Err(error),
        },
    }
}

enum Form {
    Binary,
    Packed,
    Zip,
    Text,
}

fn form_of(head: &[u8]) -> Form {
    // Mach-O and PE have an error of their own there.
    if binary::format_of(head).is_some() {
        return Form::Binary;
    }
    if head.starts_with(b"PK") {
        return Form::Zip;
    }
    let tar = head.get(257..262) == Some(b"ustar") || tarscan::begins_like_tar(head);
    if tar || Compression::sniff(head) != Compression::None { Form::Packed } else { Form::Text }
}

/// Reads a build log from a file.
pub fn read_log(path: &Path) -> Result<BuildLog, InspectError> {
    let file = File::open(path).map_err(|e| InspectError::io(path, e))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(InspectError::format(path.display().to_string(), "a folder, not a build log"));
    }
    buildlog::parse(BufReader::new(file))
}

/// The change from one artefact to another of the same kind; none when they are of different kinds.
///
/// `totals` are the values of the wholes as someone else measured them: bytes, or seconds for logs. Of images, `size` says
/// which size is meant. Without it, it is the one of the totals, or the one that both engines print, or what is stored; of
/// two images that are compressed in different ways, it is the uncompressed one.
pub fn between(
    before: &Artefact,
    after: &Artefact,
    totals: Option<(f64, f64)>,
    size: Option<Size>,
) -> Option<Attribution> {
    let bytes = totals.map(|(a, b)| (a as u64, b as u64));
    Some(match (before, after) {
        (Artefact::Image(a), Artefact::Image(b)) => {
            let printed = a.engine_size.zip(b.engine_size).filter(|_| size.is_none() && a.engine == b.engine);
            let told = bytes.or(printed);
            let size = size.unwrap_or_else(|| match told {
                Some(_) => size_of(b),
                None if compression(a) == compression(b) => Size::Stored,
                None => Size::Uncompressed,
            });
            diff::images(a, b, size, told)
        }
        (Artefact::Folder(a), Artefact::Folder(b)) => diff::folders(a, b),
        (Artefact::Archive(a), Artefact::Archive(b)) => diff::archives(a, b),
        (Artefact::Binary(a), Artefact::Binary(b)) => diff::binaries(a, b),
        (Artefact::GitDir(a), Artefact::GitDir(b)) => diff::git_dirs(a, b),
        (Artefact::Log(a), Artefact::Log(b)) => diff::logs(a, b, totals),
        _ => return None,
    })
}

/// The size that the engine prints for an image that it holds; stored bytes of any other.
pub fn size_of(image: &Image) -> Size {
    match (image.engine_size, image.format) {
        (None, _) => Size::Stored,
        (Some(printed), Format::DockerArchive) if printed >= image.uncompressed() => Size::Uncompressed,
        (Some(_), Format::DockerArchive) => Size::Files,
        (Some(_), _) => Size::Stored,
    }
}

fn compression(image: &Image) -> Option<Compression> {
    image.layers.iter().map(|layer| layer.compression).max_by_key(|c| *c as u8)
}

/// The sizes of what lies in a folder or archive as an attribution of all of it, so that rows and rest add up.
pub fn contents(artefact: &Artefact, most: usize) -> Option<Attribution> {
    let (paths, listing) = (super::paths::Paths::default(), super::paths::Listing::default());
    let nothing = (&paths, &listing);
    let all = usize::MAX;
    let found = match artefact {
        Artefact::Folder(f) => {
            diff::listings(nothing, (&f.paths, &f.listing), Some((0, f.bytes)), "files by no name", all)
        }
        Artefact::Archive(a) => {
            let listing = a.compressed.as_ref().unwrap_or(&a.listing);
            let (whole, rest) = match a.compressed {
                Some(_) => (a.stored, "headers and directory of the zip"),
                None => (a.bytes, "files by no name"),
            };
            diff::listings(nothing, (&a.paths, listing), Some((0, whole)), rest, all)
        }
        _ => return None,
    };
    Some(found.shortened(most))
}

/// Reads a Dockerfile.
pub fn read_dockerfile(path: &Path) -> Result<Dockerfile, InspectError> {
    Ok(Dockerfile::parse(&std::fs::read(path).map_err(|e| InspectError::io(path, e))?))
}

/// The Dockerfile in a folder, and its name.
pub fn dockerfile_in(folder: &Path) -> Option<(Dockerfile, &'static str)> {
    let name = DOCKERFILES.into_iter().find(|name| folder.join(name).is_file())?;
    Some((read_dockerfile(&folder.join(name)).ok()?, name))
}

/// The file or archive at a path as a metric of its size reads it: an ELF file by its sections, anything else as an archive.
pub fn of_plain_file(path: &Path, limits: &Limits) -> Result<Artefact, InspectError> {
    match binary::read(path, limits) {
        Ok(found) => Ok(Artefact::Binary(Box::new(found))),
        Err(_) => archive::read(path, limits).map(|a| Artefact::Archive(Box::new(a))),
    }
}
