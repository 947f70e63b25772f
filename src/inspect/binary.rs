//! Binaries: sections and the largest symbols of ELF files.
//!
//! Parsing is the `object` crate's, through a cache that reads only the tables and never the code.

use super::{InspectError, Limits};
use crate::phrase;
use object::read::ReadCache;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// Symbols that are kept, the largest ones.
const MAX_SYMBOLS: usize = 20_000;
/// Tables of symbols and their names are read when they take no more than this together.
const MAX_TABLES: u64 = 48 << 20;

/// A section.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Section {
    /// `.text`.
    pub name: String,
    /// Bytes in the file; 0 for `.bss`.
    pub file_bytes: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
}

/// A symbol.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Symbol {
    /// As in the file, not demangled.
    pub name: String,
    /// The section it lies in.
    pub section: String,
    /// Its size.
    pub bytes: u64,
    /// Whether its bytes are in the file, as those of `.bss` are not.
    pub in_file: bool,
}

/// A binary, laid open.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Binary {
    /// `Elf`.
    pub format: String,
    /// `X86_64`.
    pub architecture: String,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Its sections in order.
    pub sections: Vec<Section>,
    /// Its largest symbols, the largest first. Empty when it was stripped.
    pub symbols: Vec<Symbol>,
    /// Whether the symbols could not all be looked at.
    pub partial: bool,
}

impl Binary {
    /// Bytes that belong to no section: headers, program headers and padding.
    pub fn other_bytes(&self) -> u64 {
        self.file_bytes.saturating_sub(self.sections.iter().map(|s| s.file_bytes).sum())
    }
}

/// Reads a binary file.
pub fn read(path: &Path, limits: &Limits) -> Result<Binary, InspectError> {
    let file = File::open(path).map_err(|e| InspectError::io(path, e))?;
    let length = file.metadata().map_err(|e| InspectError::io(path, e))?.len();
    read_from(file, length, &path.display().to_string(), limits)
}

/// The header of a PE file stands before this, behind the program for DOS.
const FARTHEST_PE: usize = 1 << 20;

/// What kind of binary a file is that begins with these bytes: `ELF`, `Mach-O`, `PE`.
pub fn format_of(head: &[u8]) -> Option<&'static str> {
    let word = |at: usize| head.get(at..at + 4).map(|b| [b[0], b[1], b[2], b[3]]);
    match word(0)? {
        [0x7f, b'E', b'L', b'F'] => Some("ELF"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => Some("Mach-O"),
        // Java classes begin so, too, and then have a version of 45 or more where a universal binary counts its parts.
        [0xca, 0xfe, 0xba, 0xbe] => word(4).map(u32::from_be_bytes).filter(|n| (1..45).contains(n)).map(|_| "Mach-O"),
        [b'M', b'Z', ..] => {
            let at = word(60).map(u32::from_le_bytes)? as usize;
            ((64..FARTHEST_PE).contains(&at) && word(at).is_none_or(|magic| magic == *b"PE\0\0")).then_some("PE")
        }
        _ => None,
    }
}

/// Reads a binary of so many bytes from anything that can be gone about in.
pub fn read_from(mut reader: impl Read + Seek, length: u64, label: &str, _: &Limits) -> Result<Binary, InspectError> {
    let bad = |e: String| InspectError::format(label, phrase!("no binary that can be read: {e}", e));
    let mut head = Vec::new();
    let begun = reader.by_ref().take(512).read_to_end(&mut head).and_then(|_| reader.rewind());
    begun.map_err(|e| bad(e.to_string()))?;
    if let Some(format @ ("Mach-O" | "PE")) = format_of(&head) {
        let what = phrase!("this is a {format} binary; sections and symbols are read from ELF files only", format);
        return Err(InspectError::format(label, what));
    }
    let cache = ReadCache::new(reader);
    let file = object::File::parse(&cache).map_err(|e| bad(e.to_string()))?;
    let mut sections = Vec::new();
    let mut names = std::collections::HashMap::new();
    let mut tables = 0u64;
    for section in file.sections().take(65_536) {
        let name = String::from_utf8_lossy(section.name_bytes().unwrap_or(b"?")).into_owned();
        let file_bytes = section.file_range().map_or(0, |(_, size)| size).min(length);
        if matches!(section.kind(), SectionKind::Metadata | SectionKind::OtherString | SectionKind::Other)
            || name.contains("symtab")
            || name.contains("strtab")
        {
            tables += file_bytes;
        }
        // Only what is loaded takes memory.
        let loaded = match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.0 & object::elf::SHF_ALLOC.0 != 0,
            _ => true,
        };
        names.insert(section.index(), (name.clone(), file_bytes > 0));
        sections.push(Section { name, file_bytes, memory_bytes: if loaded { section.size() } else { 0 } });
    }
    let mut partial = tables > MAX_TABLES;
    let mut symbols: Vec<Symbol> = Vec::new();
    if !partial {
        let mut seen = 0usize;
        for symbol in file.symbols() {
            seen += 1;
            if seen > 4_000_000 {
                partial = true;
                break;
            }
            if symbol.size() == 0 || symbol.size() > length.max(1 << 40) {
                continue;
            }
            let Some((section, in_file)) = symbol.section_index().and_then(|i| names.get(&i)).cloned() else {
                continue;
            };
            let name = symbol.name_bytes().map(|n| &n[..n.len().min(512)]).unwrap_or_default();
            symbols.push(Symbol {
                name: String::from_utf8_lossy(name).into_owned(),
                section,
                bytes: symbol.size(),
                in_file,
            });
            if symbols.len() >= 4 * MAX_SYMBOLS {
                keep_largest(&mut symbols);
                partial = true;
            }
        }
    }
    if symbols.len() > MAX_SYMBOLS {
        partial = true;
    }
    keep_largest(&mut symbols);
    Ok(Binary {
        format: format!("{:?}", file.format()),
        architecture: format!("{:?}", file.architecture()),
        file_bytes: length,
        sections,
        symbols,
        partial,
    })
}

fn keep_largest(symbols: &mut Vec<Symbol>) {
    symbols.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    symbols.truncate(MAX_SYMBOLS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_has_sections_and_symbols() {
        let path = std::env::current_exe().unwrap();
        let binary = read(&path, &Limits::default()).unwrap();
        assert_eq!(binary.file_bytes, std::fs::metadata(&path).unwrap().len());
        let of = |name: &str| binary.sections.iter().find(|s| s.name == name);
        if binary.format == "Elf" {
            assert!(of(".text").unwrap().file_bytes > 10_000);
            assert_eq!(of(".bss").unwrap().file_bytes, 0);
            let sum: u64 = binary.sections.iter().map(|s| s.file_bytes).sum();
            assert_eq!(sum + binary.other_bytes(), binary.file_bytes, "no section is counted twice");
        }
        assert!(binary.partial || !binary.symbols.is_empty());
        let same = super::super::diff::binaries(&binary, &binary);
        assert_eq!((same.rows.len(), same.unexplained), (0, 0));
    }

    #[test]
    fn text_and_cut_binaries_are_errors_and_no_panics() {
        let whole = std::fs::read("/bin/true").unwrap_or_default();
        for cut in [0, 3, 16, 63, 64, 100, 500, whole.len() / 2, whole.len().saturating_sub(1)] {
            let bytes = whole[..cut.min(whole.len())].to_vec();
            let length = bytes.len() as u64;
            let _ = read_from(std::io::Cursor::new(bytes), length, "x", &Limits::default());
        }
        let error = read_from(std::io::Cursor::new(b"hello world"), 11, "x", &Limits::default()).unwrap_err();
        assert!(error.to_string().starts_with("x: no binary"), "{error}");
    }

    #[test]
    fn binaries_of_other_systems_are_named_in_the_error() {
        let mut pe = b"MZ".to_vec();
        pe.resize(60, 0);
        pe.extend_from_slice(&[0x80, 0, 0, 0]);
        pe.resize(0x80, 0);
        pe.extend_from_slice(b"PE\0\0");
        let mach = [0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1].to_vec();
        let universal = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2].to_vec();
        for (bytes, name) in [(pe, "PE"), (mach, "Mach-O"), (universal, "Mach-O")] {
            let length = bytes.len() as u64;
            let error = read_from(std::io::Cursor::new(bytes), length, "x", &Limits::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("x: this is a {name} binary; sections and symbols are read from ELF files only")
            );
        }
        assert_eq!(format_of(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52]), None, "a Java class is none");
        assert_eq!(format_of(b"MZ is how this text begins, and it goes on and on and on and on and on."), None);
    }
}
