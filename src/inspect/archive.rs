//! Archives that are no images: tar, compressed or not, zip, wheel, jar, and npm tarballs.
//!
//! A tar is read by [`crate::inspect::tarscan`], a zip's central directory by the `rawzip` crate; no content of a zip is
//! inflated. Both are streamed, whatever the number of entries.

use super::image::layer;
use super::paths::{Kind, Listing, ListingBuilder, Paths};
use super::{InspectError, Limits, Problem};
use crate::phrase;
use crate::phrase::Phrase;
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use super::image::Compression;

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveFormat {
    /// tar, which a npm tarball is too.
    Tar,
    /// zip, which a wheel and a jar are too.
    Zip,
}

/// An archive, laid open.
#[derive(Debug)]
pub struct Archive {
    /// Its form.
    pub format: ArchiveFormat,
    /// How it is compressed as a whole; a zip is not.
    pub compression: Compression,
    /// Bytes of the archive file.
    pub stored: u64,
    /// Bytes of the content of its files.
    pub bytes: u64,
    /// Its entries with the size of their content.
    pub listing: Listing,
    /// The same entries of a zip with the size they take in it; none for a tar, where compression spans files.
    pub compressed: Option<Listing>,
    /// The names.
    pub paths: Paths,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Whether it could not be read to its end, or not all its entries are kept by name.
    pub partial: bool,
}

/// A tar without members: one record of twenty blocks, as tar writes it.
const LARGEST_EMPTY: u64 = 20 * 512;

/// Reads an archive file.
pub fn read(path: &Path, limits: &Limits) -> Result<Archive, InspectError> {
    let io = |e| InspectError::io(path, e);
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.is_dir() {
        return Err(InspectError::format(path.display().to_string(), "a folder, not an archive"));
    }
    let mut head = [0u8; 4];
    let n = std::os::unix::fs::FileExt::read_at(&file, &mut head, 0).unwrap_or(0);
    let label = path.display().to_string();
    // A self-extracting zip begins with anything, but then its name says what it is.
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    let by_name = matches!(extension.as_str(), "zip" | "whl" | "jar" | "war" | "apk" | "egg" | "nupkg" | "vsix");
    if (head[..n].starts_with(b"PK") && metadata.is_file()) || by_name {
        return read_zip(file, metadata.len(), &label, limits);
    }
    read_tar(&mut file, &label, limits)
}

/// Reads a tar from a stream, compressed or not.
pub fn read_tar(reader: impl Read + Send, label: &str, limits: &Limits) -> Result<Archive, InspectError> {
    let mut paths = Paths::new(limits.max_paths, limits.max_name_bytes);
    let unverified = Limits { verify: false, ..limits.clone() };
    let max_entries = limits.max_paths + limits.max_paths / 2;
    let scanned = layer::scan(reader, &mut paths, &unverified, max_entries).map_err(|e| InspectError::io(label, e))?;
    let nothing = scanned.listing.entries.is_empty() && scanned.listing.files == 0;
    if let (true, Some(cut)) = (nothing, &scanned.cut) {
        return Err(InspectError::format(label, phrase!("no archive that can be read: {cut}", cut)));
    }
    // Zeros end a tar, so that any file of zeros would be one without members.
    if nothing && scanned.uncompressed > LARGEST_EMPTY {
        return Err(InspectError::format(
            label,
            phrase!("no archive that can be read: {cut}", cut = Phrase::from("it is empty")),
        ));
    }
    let mut problems: Vec<Problem> = scanned.problems.into_iter().map(|p| Problem::new("archive", p)).collect();
    problems.dedup();
    Ok(Archive {
        format: ArchiveFormat::Tar,
        compression: scanned.compression,
        stored: scanned.stored,
        bytes: scanned.listing.bytes.saturating_sub(scanned.listing.shadowed),
        partial: scanned.cut.is_some() || scanned.listing.is_partial(),
        listing: scanned.listing,
        compressed: None,
        paths,
        problems,
    })
}

/// Reads a zip of so many bytes.
fn read_zip(file: File, stored: u64, label: &str, limits: &Limits) -> Result<Archive, InspectError> {
    let bad =
        |e: rawzip::Error| InspectError::format(label, phrase!("no zip that can be read: {e}", e = e.to_string()));
    let mut buffer = vec![0u8; rawzip::RECOMMENDED_BUFFER_SIZE.max(128 << 10)];
    let archive = rawzip::ZipArchive::from_file(file, &mut buffer).map_err(bad)?;
    let wanted = archive.entries_hint();
    read_zip_entries(&archive, &mut buffer, wanted, stored, limits)
}

/// Reads a zip that is in memory.
pub fn read_zip_bytes(bytes: &[u8], label: &str, limits: &Limits) -> Result<Archive, InspectError> {
    let bad =
        |e: rawzip::Error| InspectError::format(label, phrase!("no zip that can be read: {e}", e = e.to_string()));
    let mut buffer = vec![0u8; rawzip::RECOMMENDED_BUFFER_SIZE.max(128 << 10)];
    let cursor = std::io::Cursor::new(bytes);
    let archive = rawzip::ZipArchive::from_seekable(cursor, &mut buffer).map_err(bad)?;
    let wanted = archive.entries_hint();
    read_zip_entries(&archive, &mut buffer, wanted, bytes.len() as u64, limits)
}

fn read_zip_entries<R: rawzip::ReaderAt>(
    archive: &rawzip::ZipArchive<R>,
    buffer: &mut [u8],
    wanted: u64,
    stored: u64,
    limits: &Limits,
) -> Result<Archive, InspectError> {
    let mut paths = Paths::new(limits.max_paths, limits.max_name_bytes);
    let mut listing = ListingBuilder::new(limits.max_paths);
    let mut compressed = ListingBuilder::new(limits.max_paths);
    let (mut seen, mut traversal) = (0u64, 0u64);
    let mut problems = Vec::new();
    let mut entries = archive.entries(buffer);
    loop {
        let entry = match entries.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(e) => {
                let what = phrase!("its directory is broken after {n} entries: {e}", n = seen, e = e.to_string());
                problems.push(Problem::new("archive", what));
                break;
            }
        };
        seen += 1;
        let name = entry.file_path();
        let name = name.as_bytes();
        if name.starts_with(b"/") || name.split(|&b| b == b'/' || b == b'\\').any(|part| part == b"..") {
            traversal += 1;
        }
        let kind = if entry.is_dir() { Kind::Folder } else { Kind::File };
        let at = paths.intern(name);
        let parent = at.map_or_else(|p| p, |id| paths.parent(id));
        let mode = (entry.mode().value() & 0o7777) as u16;
        listing.add(at, parent, kind, mode, entry.uncompressed_size_hint(), 0);
        compressed.add(at, parent, kind, mode, entry.compressed_size_hint(), 0);
    }
    if traversal > 0 {
        problems
            .push(Problem::new("archive", phrase!("{n} entries with an absolute path or '..' in it", n = traversal)));
    }
    if seen != wanted && problems.is_empty() {
        problems.push(Problem::new("archive", phrase!("it has {n} entries and claims {wanted}", n = seen, wanted)));
    }
    let (listing, compressed) = (listing.finish(), compressed.finish());
    Ok(Archive {
        format: ArchiveFormat::Zip,
        compression: Compression::None,
        stored,
        bytes: listing.bytes.saturating_sub(listing.shadowed),
        partial: listing.is_partial() || problems.iter().any(|p| p.what.contains("broken")),
        listing,
        compressed: Some(compressed),
        paths,
        problems,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut out);
        for (name, body) in files {
            let (mut entry, config) =
                archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default());
            let mut writer = config.wrap(encoder);
            writer.write_all(body).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        out
    }

    #[test]
    fn a_wheel_gives_both_sizes_of_each_file() {
        let bytes = zip(&[("pkg/a.py", &[b'a'; 5000]), ("pkg/data", b"xyz"), ("pkg-1.dist-info/RECORD", b"r")]);
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("pkg-1-py3-none-any.whl");
        std::fs::write(&path, &bytes).unwrap();
        let archive = read(&path, &Limits::default()).unwrap();
        assert_eq!((archive.format, archive.bytes, archive.listing.files), (ArchiveFormat::Zip, 5004, 3));
        assert_eq!(archive.stored, bytes.len() as u64);
        assert!(archive.compressed.unwrap().bytes < 100);
        assert_eq!(archive.problems, []);
    }

    #[test]
    fn a_tarball_is_read_through_its_compression() {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(1000);
        builder.append_data(&mut header, "package/index.js", &[b'x'; 1000][..]).unwrap();
        let bytes = builder.into_inner().unwrap().finish().unwrap();
        let archive = read_tar(&bytes[..], "x.tgz", &Limits::default()).unwrap();
        assert_eq!((archive.compression, archive.bytes, archive.partial), (Compression::Gzip, 1000, false));
        let cut = read_tar(&bytes[..bytes.len() - 12], "x.tgz", &Limits::default());
        assert!(cut.is_err() || cut.unwrap().partial);
        let error = read_tar(&b"hello"[..], "x.tgz", &Limits::default()).unwrap_err().to_string();
        assert!(error.starts_with("x.tgz: no archive"), "{error}");
    }

    #[test]
    fn a_file_of_zeros_is_no_archive_and_an_empty_tar_is_one() {
        let read = |bytes: usize| read_tar(vec![0; bytes].as_slice(), "x", &Limits::default());
        assert!(read(20 * 512).is_ok());
        assert!(read(200_000).unwrap_err().to_string().contains("it is empty"));
    }

    #[test]
    fn a_cut_zip_is_an_error_and_a_climbing_path_is_named() {
        let mut bytes = zip(&[("qq/qq/x", b"1"), ("y", b"2")]);
        while let Some(at) = bytes.windows(5).position(|w| w == b"qq/qq") {
            bytes[at..at + 5].copy_from_slice(b"../..");
        }
        let archive = read_zip_bytes(&bytes, "x.zip", &Limits::default()).unwrap();
        assert!(archive.problems[0].what.contains("'..'"), "{:?}", archive.problems);
        for cut in 0..bytes.len() {
            let _ = read_zip_bytes(&bytes[..cut], "x.zip", &Limits::default());
        }
        assert!(read_zip_bytes(&bytes[..bytes.len() / 2], "x.zip", &Limits::default()).is_err());
    }

    #[test]
    fn attribution_of_archives_adds_up_to_the_file_size() {
        let a = read_zip_bytes(&zip(&[("a", &[1; 900]), ("b", b"x")]), "a", &Limits::default()).unwrap();
        let b = read_zip_bytes(&zip(&[("a", &[1; 900]), ("c", b"yyyy")]), "b", &Limits::default()).unwrap();
        let attribution = super::super::diff::archives(&a, &b);
        let rows: i64 = attribution.rows.iter().map(|r| r.change).sum();
        assert_eq!(rows + attribution.unexplained, b.stored as i64 - a.stored as i64);
        assert_eq!(attribution.rows.len(), 2);
    }
}
