//! `verdict.toml` from disk, read with care: it comes with the repository and may be anything.

use super::error::{Problem, position};
use super::{Config, ConfigError, FILE_NAME};
use crate::phrase;
use crate::phrase::Phrase;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

pub(super) fn load(root: &Path) -> Result<Option<Config>, ConfigError> {
    read(root)?.map(|text| Config::parse(&text, FILE_NAME)).transpose()
}

/// The text of the file; none when there is no file.
pub(super) fn read(root: &Path) -> Result<Option<String>, ConfigError> {
    let path = root.join(FILE_NAME);
    let refuse = |message: Phrase, help: &str| Problem::new(0, message, help).locate("", FILE_NAME);
    let unreadable =
        |e: std::io::Error| refuse(phrase!("cannot be read: {error}", error = e), "check the file's permissions");

    let mut kind = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    if kind.is_symlink() {
        let real = path.canonicalize().map_err(|e| {
            refuse(
                phrase!("is a symbolic link that leads nowhere: {error}", error = e),
                "remove the link, or write the file itself",
            )
        })?;
        if !real.starts_with(root.canonicalize().map_err(unreadable)?) {
            return Err(refuse(
                "is a symbolic link that leaves the repository".into(),
                "replace the link by a copy of the file",
            ));
        }
        kind = path.metadata().map_err(unreadable)?;
    }
    if kind.is_dir() {
        return Err(refuse("is a folder, not a file".into(), "move the folder away, then run 'git verdict init'"));
    }
    if !kind.is_file() {
        return Err(refuse("is not a regular file".into(), "move it away, then run 'git verdict init'"));
    }

    let mut bytes = Vec::new();
    File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(refuse("is larger than 1 MiB".into(), "keep data out of the configuration"));
    }
    String::from_utf8(bytes).map(Some).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let readable = String::from_utf8_lossy(&e.as_bytes()[..valid]).into_owned();
        let (line, column) = position(&readable, valid);
        ConfigError {
            file: FILE_NAME.to_string(),
            line,
            column,
            message: phrase!("is not UTF-8 text: byte {byte}", byte = format!("0x{:02x}", e.as_bytes()[valid])),
            help: Some("save the file as UTF-8".into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn message(root: &Path) -> String {
        load(root).unwrap_err().to_string()
    }

    #[test]
    fn no_file_is_no_configuration() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Ok(None));
        assert_eq!(load(&dir.path().join("missing")), Ok(None));
    }

    #[test]
    fn the_file_is_read_and_its_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE_NAME), "version = 1\n[checks]\ntests = 'true'\n").unwrap();
        assert_eq!(load(dir.path()).unwrap().unwrap().checks[0].name, "tests");
        fs::write(dir.path().join(FILE_NAME), "version = 1\n[chekcs]\n").unwrap();
        assert_eq!(message(dir.path()), "verdict.toml:2:2: unknown key 'chekcs'");
    }

    #[test]
    fn what_is_not_a_text_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        fs::write(&path, b"version = 1\n# \xc3\xa9 \xff\n").unwrap();
        assert_eq!(message(dir.path()), "verdict.toml:2:5: is not UTF-8 text: byte 0xff");
        fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(message(dir.path()), "verdict.toml:1:1: is larger than 1 MiB");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(message(dir.path()), "verdict.toml:1:1: is a folder, not a file");
        fs::remove_dir(&path).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(message(dir.path()), "verdict.toml:1:1: is not a regular file");
        drop(socket);
    }

    #[test]
    fn a_link_may_not_leave_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(dir.path().join("outside.toml"), "version = 1\n").unwrap();
        let link = root.join(FILE_NAME);
        symlink("../outside.toml", &link).unwrap();
        assert_eq!(message(&root), "verdict.toml:1:1: is a symbolic link that leaves the repository");
        fs::remove_file(&link).unwrap();
        symlink("nowhere.toml", &link).unwrap();
        assert!(message(&root).contains("leads nowhere"));
        fs::write(root.join("nowhere.toml"), "version = 1\n").unwrap();
        assert!(load(&root).unwrap().is_some());
    }
}
