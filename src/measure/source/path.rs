//! The size of a file, a folder, or all that a glob matches.
//!
//! The size is the apparent one: the length of regular files, each inode once however many names it has, and of symbolic
//! links their own length; links inside a folder are not followed. Folders themselves, pipes and devices count nothing.
//! With `compress` each file is compressed by itself, as a server or a package that holds single files would do it. A
//! path that is itself a link is followed, but nothing outside the work tree is ever read.

use super::Trouble;
use crate::config::Compress;
use crate::measure::interrupt;
use globset::{GlobBuilder, GlobMatcher};
use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// The size in bytes of what `path` names below `root`. A path that does not exist, and a glob that matches nothing, are
/// errors that name it.
pub fn size(root: &Path, path: &str, compress: Option<Compress>) -> Result<u64, Trouble> {
    let problem = |text: String| Err(Trouble::Problem(text));
    let root = match root.canonicalize() {
        Ok(root) => root,
        Err(error) => return problem(format!("{}: {error}", root.display())),
    };
    let mut count = Count { seen: HashSet::new(), total: 0, compress };
    match locate(&root, path) {
        Ok(real) => count.tree(&root, &real)?,
        Err(Missing::Outside(text)) => return problem(text),
        Err(_) if is_glob(path) => count.matching(&root, path)?,
        Err(Missing::Absent(text)) => return Err(Trouble::Absent(text)),
        Err(Missing::Unreachable(text)) => return problem(text),
    }
    Ok(count.total)
}

/// Why a path below the work tree cannot be used.
#[derive(Debug, PartialEq)]
pub(super) enum Missing {
    /// It does not exist.
    Absent(String),
    /// It cannot be reached.
    Unreachable(String),
    /// It is outside the work tree.
    Outside(String),
}

/// Where `path` below `root` really is. `root` is canonical.
pub(super) fn locate(root: &Path, path: &str) -> Result<PathBuf, Missing> {
    let real = root.join(path).canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Missing::Absent(format!("'{path}' does not exist after the steps have run")),
        _ => Missing::Unreachable(format!("'{path}': {error}")),
    })?;
    if real.starts_with(root) {
        Ok(real)
    } else {
        Err(Missing::Outside(format!("'{path}' is outside the work tree (it is {place})", place = real.display())))
    }
}

fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

struct Count {
    seen: HashSet<(u64, u64)>,
    total: u64,
    compress: Option<Compress>,
}

impl Count {
    /// Adds all that the glob matches; a folder that it matches counts with everything in it.
    fn matching(&mut self, root: &Path, glob: &str) -> Result<(), Trouble> {
        let matcher = matcher(glob).map_err(Trouble::Problem)?;
        let base = match locate(root, &fixed_part(glob)) {
            Ok(base) => base,
            Err(Missing::Outside(text)) => return Err(Trouble::Problem(text)),
            Err(_) => return Err(Trouble::Absent(format!("nothing matches '{glob}'"))),
        };
        let fixed = PathBuf::from(fixed_part(glob));
        let mut any = false;
        let mut walk = WalkDir::new(&base).follow_links(false).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(walk_trouble)?;
            if is_git_link(root, entry.path()) {
                continue;
            }
            let below = entry.path().strip_prefix(&base).unwrap_or(entry.path());
            if !matcher.is_match(plain_path(&fixed.join(below))) {
                continue;
            }
            any = true;
            if entry.file_type().is_dir() {
                self.tree(root, entry.path())?;
                walk.skip_current_dir();
            } else {
                self.add(entry.path(), &entry.metadata().map_err(walk_trouble)?)?;
            }
        }
        if any { Ok(()) } else { Err(Trouble::Absent(format!("nothing matches '{glob}'"))) }
    }

    /// Adds a file, or a folder with everything in it.
    fn tree(&mut self, root: &Path, top: &Path) -> Result<(), Trouble> {
        for entry in WalkDir::new(top).follow_links(false) {
            let entry = entry.map_err(walk_trouble)?;
            if !is_git_link(root, entry.path()) {
                self.add(entry.path(), &entry.metadata().map_err(walk_trouble)?)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, metadata: &Metadata) -> Result<(), Trouble> {
        let kind = metadata.file_type();
        if !(kind.is_file() || kind.is_symlink()) {
            return Ok(());
        }
        if !self.seen.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        self.total += match self.compress {
            Some(how) if kind.is_file() => {
                compressed(path, how).map_err(|e| Trouble::Problem(format!("{}: {e}", path.display())))?
            }
            _ => metadata.len(),
        };
        Ok(())
    }
}

fn walk_trouble(error: walkdir::Error) -> Trouble {
    Trouble::Problem(error.to_string())
}

/// The file `.git` at the top of a linked worktree: it is git's, not the project's.
fn is_git_link(root: &Path, path: &Path) -> bool {
    path.parent() == Some(root) && path.file_name().is_some_and(|n| n == ".git")
}

fn matcher(glob: &str) -> Result<GlobMatcher, String> {
    let plain = plain_path(Path::new(glob));
    let text = plain.to_str().unwrap_or(glob);
    let built = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    Ok(built.map_err(|e| format!("'{glob}' is not a glob: {error}", error = e.kind()))?.compile_matcher())
}

/// A path without `.` parts.
fn plain_path(path: &Path) -> PathBuf {
    path.components().filter(|c| !matches!(c, Component::CurDir)).collect()
}

/// The folders of a glob before its first special character.
fn fixed_part(glob: &str) -> String {
    let special = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len());
    match glob[..special].rfind('/') {
        Some(0) => "/".into(),
        Some(end) => glob[..end].to_string(),
        None => ".".into(),
    }
}

/// Counts what is written to it.
#[derive(Default)]
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The compressed length of a file, read as a stream.
fn compressed(path: &Path, how: Compress) -> io::Result<u64> {
    let mut file = File::open(path)?;
    match how {
        Compress::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Sink::default(), flate2::Compression::new(6));
            copy(&mut file, &mut encoder)?;
            Ok(encoder.finish()?.0)
        }
        Compress::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(Sink::default(), 3)?;
            copy(&mut file, &mut encoder)?;
            Ok(encoder.finish()?.0)
        }
        Compress::Brotli => {
            // A window of 4 MiB, as command-line tools and web servers use it.
            let mut encoder = brotli::CompressorWriter::new(Sink::default(), 64 * 1024, 5, 22);
            copy(&mut file, &mut encoder)?;
            Ok(encoder.into_inner().0)
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        if interrupt::requested() {
            return Err(io::Error::other("interrupted"));
        }
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, length: usize| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x".repeat(length)).unwrap();
        };
        put("out/a.so", 100);
        put("out/b.so", 20);
        put("out/deep/c.so", 3);
        put("out/notes.txt", 4000);
        put(".git", 50);
        dir
    }

    fn read(dir: &Path, path: &str) -> Result<u64, String> {
        size(dir, path, None).map_err(|t| match t {
            Trouble::Problem(text) | Trouble::Absent(text) => text,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn files_folders_and_globs_are_added_up() {
        let dir = tree();
        assert_eq!(read(dir.path(), "out/a.so"), Ok(100));
        assert_eq!(read(dir.path(), "out"), Ok(4123));
        assert_eq!(read(dir.path(), "./out/*.so"), Ok(120));
        assert_eq!(read(dir.path(), "out/**/*.so"), Ok(123));
        assert_eq!(read(dir.path(), "**/*.so"), Ok(123));
        assert_eq!(read(dir.path(), "out/{a,b}.so"), Ok(120));
        assert_eq!(read(dir.path(), "out/d*"), Ok(3));
        assert_eq!(read(dir.path(), "."), Ok(4123), "git's own file is not counted");
        assert_eq!(read(dir.path(), "*"), Ok(4123));
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tree();
        assert_eq!(read(dir.path(), "target/x"), Err("'target/x' does not exist after the steps have run".into()));
        assert_eq!(read(dir.path(), "target/*.so"), Err("nothing matches 'target/*.so'".into()));
        assert_eq!(read(dir.path(), "out/*.dll"), Err("nothing matches 'out/*.dll'".into()));
        assert!(read(dir.path(), "out/[").unwrap_err().starts_with("'out/[' is not a glob"));
    }

    #[test]
    fn a_file_that_is_named_like_a_glob_is_that_file() {
        let dir = tree();
        std::fs::write(dir.path().join("[x]*"), "12345").unwrap();
        assert_eq!(read(dir.path(), "[x]*"), Ok(5));
    }

    #[test]
    fn an_inode_with_two_names_counts_once_and_a_link_counts_its_own_length() {
        let dir = tree();
        std::fs::hard_link(dir.path().join("out/a.so"), dir.path().join("out/again.so")).unwrap();
        assert_eq!(read(dir.path(), "out/*.so"), Ok(120));
        symlink("notes.txt", dir.path().join("out/link")).unwrap();
        assert_eq!(read(dir.path(), "out"), Ok(4123 + 9));
        assert_eq!(read(dir.path(), "out/link"), Ok(4000), "a link that the metric names is followed");
    }

    #[test]
    fn nothing_outside_the_work_tree_is_read() {
        let dir = tree();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("big.so"), "x".repeat(9000)).unwrap();
        symlink(outside.path(), dir.path().join("away")).unwrap();
        for path in ["away", "away/big.so", "away/*.so", "..", "/etc", "/etc/*"] {
            let error = read(dir.path(), path).unwrap_err();
            assert!(error.contains("is outside the work tree"), "{path}: {error}");
        }
        assert_eq!(read(dir.path(), "**/*.so"), Ok(123), "links are not followed while walking");
    }

    #[test]
    fn names_that_are_not_unicode_are_counted() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tree();
        let name = std::ffi::OsStr::from_bytes(b"out/\xff\xfe.so");
        std::fs::write(dir.path().join(name), "1234567").unwrap();
        assert_eq!(read(dir.path(), "out/*.so"), Ok(127));
    }

    #[test]
    fn compressed_sizes_are_those_of_the_decoders_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let text: String = (0..50_000).map(|i| format!("line {} of {}\n", i % 977, i)).collect();
        std::fs::write(&path, &text).unwrap();
        for how in [Compress::Gzip, Compress::Zstd, Compress::Brotli] {
            let length = compressed(&path, how).unwrap();
            assert!(length > 1000 && length < text.len() as u64 / 3, "{how:?}: {length}");
            assert_eq!(size(dir.path(), "f", Some(how)).unwrap(), length);
        }
        let mut expected = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        expected.write_all(text.as_bytes()).unwrap();
        let expected = expected.finish().unwrap();
        let mut back = String::new();
        flate2::read::GzDecoder::new(&expected[..]).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
        assert_eq!(compressed(&path, Compress::Gzip).unwrap(), expected.len() as u64);
    }
}
