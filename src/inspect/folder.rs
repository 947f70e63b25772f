//! Folders: what is in them by path, with each inode counted once, as `du` does.
//!
//! Walks with `openat` and `fstatat`, on a few threads, and never follows a symbolic link. At any time about as many
//! folders are open as the tree is deep.

use super::paths::{Entry, Kind, Listing, ListingBuilder, PathId, Paths};
use super::{InspectError, Limits, Problem};
use crate::phrase;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// More threads than this wait for one another.
const MAX_THREADS: usize = 4;
/// Problems that are kept; the rest is counted.
const MAX_PROBLEMS: usize = 100;

/// A folder, laid open.
#[derive(Debug, Default)]
pub struct Folder {
    /// Bytes of the content of all regular files, each inode once.
    pub bytes: u64,
    /// Bytes that the file system takes for everything, folders and links too: what `du` prints.
    pub allocated: u64,
    /// Regular files, each inode once.
    pub files: u64,
    /// Folders, the top one included.
    pub folders: u64,
    /// Its entries by path. Of several names of one inode, the first in byte order is the file.
    pub listing: Listing,
    /// The names.
    pub paths: Paths,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Folder {
    /// Whether something could not be read, or is only summed up.
    pub fn is_partial(&self) -> bool {
        !self.problems.is_empty() || self.listing.is_partial()
    }
}

/// A folder that waits to be read.
struct Job {
    /// Where its files are put down.
    number: u32,
    /// Whether it has no number of its own, and its files are only summed up.
    spilled: bool,
    parent: Arc<OwnedFd>,
    name: Vec<u8>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// Workers that may still add jobs.
    busy: usize,
    /// Of each numbered folder: the one it is in, and its name.
    folders: Vec<(u32, Box<[u8]>)>,
}

struct Found {
    folder: u32,
    name: u32,
    len: u16,
    mode: u16,
    kind: Kind,
    size: u64,
    /// Device and inode, when there may be another name of it.
    link: Option<(u64, u64)>,
    allocated: u64,
}

/// What one worker brings home.
#[derive(Default)]
struct Yield {
    names: Vec<u8>,
    found: Vec<Found>,
    /// Files and bytes by folder that are kept by no name.
    spill: HashMap<u32, (u64, u64)>,
    /// Inodes with several names, where names are no longer kept.
    spilled_links: HashMap<(u64, u64), (u32, Option<u64>, u64)>,
    allocated: u64,
    folders: u64,
    problems: Vec<Problem>,
    more_problems: u64,
}

impl Yield {
    fn problem(&mut self, place: &[u8], what: impl std::fmt::Display) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::new(super::paths::show_name(place), what.to_string()));
        } else {
            self.more_problems += 1;
        }
    }
}

/// Reads a folder with all that is in it.
pub fn read(path: &Path, limits: &Limits) -> Result<Folder, InspectError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| InspectError::io(path, e.into()))?;
    let stat = rustix::fs::fstat(&top).map_err(|e| InspectError::io(path, e.into()))?;
    let first = Job { number: 0, spilled: false, parent: Arc::new(top), name: b".".to_vec() };
    let queue = Mutex::new(Queue { jobs: vec![first], busy: 0, folders: vec![(0, Box::default())] });
    let wake = Condvar::new();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS);
    let per_thread = limits.max_paths / threads.max(1);
    let yields = std::thread::scope(|scope| {
        let mut handles = Vec::new();
        for _ in 1..threads {
            let spawned = std::thread::Builder::new().spawn_scoped(scope, || work(&queue, &wake, per_thread, limits));
            handles.extend(spawned.ok());
        }
        let mut yields = vec![work(&queue, &wake, per_thread, limits)];
        for handle in handles {
            match handle.join() {
                Ok(y) => yields.push(y),
                Err(_) => yields[0].problem(b"", "a worker failed"),
            }
        }
        yields
    });
    let folders = queue.into_inner().unwrap_or_else(PoisonError::into_inner).folders;
    let mut folder = merge(folders, yields, limits);
    folder.allocated += stat.st_blocks as u64 * 512;
    folder.folders += 1;
    Ok(folder)
}

fn work(queue: &Mutex<Queue>, wake: &Condvar, max_entries: usize, limits: &Limits) -> Yield {
    let mut mine = Yield::default();
    let mut below = Vec::new();
    loop {
        let job = {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(job) = queue.jobs.pop() {
                    queue.busy += 1;
                    break job;
                }
                if queue.busy == 0 {
                    return mine;
                }
                queue = wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        below.clear();
        let opened = read_one(&job, &mut mine, &mut below, max_entries);
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parent) = opened {
            for name in below.drain(..) {
                let fits = !job.spilled && queue.folders.len() < limits.max_paths;
                let number = if fits { queue.folders.len() as u32 } else { job.number };
                if fits {
                    queue.folders.push((job.number, name.clone().into_boxed_slice()));
                }
                queue.jobs.push(Job { number, spilled: !fits, parent: parent.clone(), name });
            }
        }
        queue.busy -= 1;
        wake.notify_all();
    }
}

/// Reads the entries of one folder; gives the folder back, open, for those below it.
fn read_one(job: &Job, mine: &mut Yield, below: &mut Vec<Vec<u8>>, max_entries: usize) -> Option<Arc<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = match openat(&*job.parent, job.name.as_slice(), flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(e) => {
            mine.problem(&job.name, std::io::Error::from(e));
            return None;
        }
    };
    let fd = Arc::new(fd);
    let dir = match fd.try_clone().map(Dir::new) {
        Ok(Ok(dir)) => dir,
        Ok(Err(e)) => {
            mine.problem(&job.name, std::io::Error::from(e));
            return None;
        }
        Err(e) => {
            mine.problem(&job.name, e);
            return None;
        }
    };
    for entry in dir {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                mine.problem(&job.name, std::io::Error::from(e));
                break;
            }
        };
        let name = entry.file_name();
        let bytes = name.to_bytes();
        if bytes == b"." || bytes == b".." {
            continue;
        }
        let stat = match statat(&*fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone since: no more a part of it.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(e) => {
                mine.problem(bytes, std::io::Error::from(e));
                continue;
            }
        };
        let allocated = stat.st_blocks as u64 * 512;
        let kind = match FileType::from_raw_mode(stat.st_mode as _) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => {
                mine.folders += 1;
                mine.allocated += allocated;
                below.push(bytes.to_vec());
                continue;
            }
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            _ => Kind::Device,
        };
        let size = if matches!(kind, Kind::File | Kind::Symlink) { stat.st_size as u64 } else { 0 };
        let link = (stat.st_nlink > 1).then_some((stat.st_dev as u64, stat.st_ino as u64));
        if job.spilled || mine.found.len() >= max_entries || mine.names.len() + bytes.len() > u32::MAX as usize {
            match link {
                Some(key) => {
                    let size = (kind == Kind::File).then_some(size);
                    mine.spilled_links.insert(key, (job.number, size, allocated));
                }
                None => {
                    mine.allocated += allocated;
                    if kind == Kind::File {
                        let slot = mine.spill.entry(job.number).or_default();
                        slot.0 += 1;
                        slot.1 += size;
                    }
                }
            }
            continue;
        }
        mine.found.push(Found {
            folder: job.number,
            name: mine.names.len() as u32,
            len: bytes.len().min(u16::MAX as usize) as u16,
            mode: (stat.st_mode & 0o7777) as u16,
            kind,
            size,
            link,
            allocated,
        });
        mine.names.extend_from_slice(bytes);
        if link.is_none() {
            mine.allocated += allocated;
        }
    }
    Some(fd)
}

/// Device and inode, where it is put down, the folder of that, and the entry.
type Link = ((u64, u64), Result<PathId, PathId>, PathId, Found);

fn merge(folders: Vec<(u32, Box<[u8]>)>, yields: Vec<Yield>, limits: &Limits) -> Folder {
    let mut out = Folder { paths: Paths::new(2 * limits.max_paths, limits.max_name_bytes), ..Folder::default() };
    out.paths.reserve(folders.len() + yields.iter().map(|y| y.found.len()).sum::<usize>());
    let mut ids: Vec<Result<PathId, PathId>> = Vec::with_capacity(folders.len());
    for (i, (parent, name)) in folders.iter().enumerate() {
        let id = match (i, ids.get(*parent as usize)) {
            (0, _) | (_, None) => Ok(PathId::ROOT),
            (_, Some(Ok(parent))) => out.paths.intern_child(*parent, name).ok_or(*parent),
            (_, Some(Err(deepest))) => Err(*deepest),
        };
        ids.push(id);
    }
    drop(folders);
    let deepest = |id: Result<PathId, PathId>| id.unwrap_or_else(|folder| folder);
    let mut listing = ListingBuilder::new(limits.max_paths);
    let mut links: Vec<Link> = Vec::new();
    let mut spilled_links = HashMap::new();
    let mut spills: Vec<(PathId, u64, u64)> = Vec::new();
    let mut more_problems = 0;
    for y in yields {
        out.allocated += y.allocated;
        out.folders += y.folders;
        out.problems.extend(y.problems);
        more_problems += y.more_problems;
        spills.extend(y.spill.iter().map(|(&n, &(files, bytes))| (deepest(ids[n as usize]), files, bytes)));
        for (key, (number, size, allocated)) in y.spilled_links {
            spilled_links.insert(key, (deepest(ids[number as usize]), size, allocated));
        }
        for f in y.found {
            let name = &y.names[f.name as usize..f.name as usize + f.len as usize];
            let folder = ids[f.folder as usize];
            let at = folder.and_then(|parent| out.paths.intern_child(parent, name).ok_or(parent));
            match f.link {
                Some(key) => links.push((key, at, deepest(folder), f)),
                None => {
                    let entry = Entry { path: PathId::ROOT, kind: f.kind, mode: f.mode, size: f.size, crc: 0 };
                    listing.add_only(at, deepest(folder), entry);
                }
            }
        }
    }
    // The first name in byte order holds the inode, whichever thread met it first.
    links.sort_by_cached_key(|(key, at, _, _)| (*key, at.is_err(), out.paths.bytes(deepest(*at))));
    let mut last = None;
    for (key, at, parent, f) in links {
        spilled_links.remove(&key);
        if last == Some(key) {
            listing.add(at, parent, if f.kind == Kind::File { Kind::Hardlink } else { f.kind }, f.mode, 0, 0);
        } else {
            out.allocated += f.allocated;
            listing.add(at, parent, f.kind, f.mode, f.size, 0);
        }
        last = Some(key);
    }
    for (folder, size, allocated) in spilled_links.into_values() {
        out.allocated += allocated;
        spills.extend(size.map(|size| (folder, 1, size)));
    }
    out.listing = listing.finish();
    for (folder, files, bytes) in spills {
        let slot = out.listing.spill.entry(folder).or_default();
        slot.files += files;
        slot.bytes += bytes;
        out.listing.files += files;
        out.listing.bytes += bytes;
    }
    (out.bytes, out.files) = (out.listing.bytes, out.listing.files);
    if more_problems > 0 {
        out.problems.push(Problem::new("folder", phrase!("{n} more entries could not be read", n = more_problems)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for d in 0..30 {
            std::fs::create_dir_all(at(&format!("d{d}/e"))).unwrap();
            for f in 0..10 {
                std::fs::write(at(&format!("d{d}/e/f{f}")), vec![b'x'; 10 * f + d]).unwrap();
            }
        }
        std::fs::hard_link(at("d3/e/f9"), at("d1/again")).unwrap();
        symlink("..", at("d2/loop")).unwrap();
        symlink("loop2", at("loop2")).unwrap();
        temp
    }

    #[test]
    fn bytes_agree_with_du_and_links_are_not_followed() {
        let temp = tree();
        let folder = read(temp.path(), &Limits::default()).unwrap();
        assert_eq!((folder.files, folder.folders), (300, 61));
        assert_eq!(folder.bytes, 30 * 450 + 10 * (0..30).sum::<u64>());
        assert!(!folder.is_partial());
        let output = std::process::Command::new("du").args(["-s", "-B1"]).arg(temp.path()).output();
        if let Ok(output) = output.as_ref().map(|o| String::from_utf8_lossy(&o.stdout).into_owned()) {
            let du: u64 = output.split_whitespace().next().unwrap().parse().unwrap();
            assert_eq!(folder.allocated, du);
        }
        let first = folder.paths.find(b"d1/again").unwrap();
        let entry = folder.listing.entries.iter().find(|e| e.path == first).unwrap();
        assert_eq!((entry.kind, entry.size), (Kind::File, 93), "the first name in byte order holds the inode");
    }

    #[test]
    fn totals_are_exact_when_names_are_not_kept() {
        let temp = tree();
        let whole = read(temp.path(), &Limits::default()).unwrap();
        for max_paths in [0, 1, 5, 40, 100, 200] {
            let part = read(temp.path(), &Limits { max_paths, ..Limits::default() }).unwrap();
            assert_eq!((part.bytes, part.files, part.allocated), (whole.bytes, whole.files, whole.allocated));
            assert!(part.is_partial());
            assert!(part.listing.entries.len() <= max_paths);
        }
    }

    #[test]
    fn a_missing_folder_and_a_file_are_errors() {
        let temp = tree();
        assert!(read(&temp.path().join("none"), &Limits::default()).is_err());
        assert!(read(&temp.path().join("d1/e/f1"), &Limits::default()).is_err());
    }
}
