//! An artefact as people and programs read it: one [`View`], which is the JSON, and the text made of it.

use super::table::{Cell, Column, Look, Tone, table};
use super::text::{Align, clean, cut, neutral, pad, width, wrap};
use crate::inspect::artefact::{Artefact, contents};
use crate::inspect::buildlog::{BuildLog, LogFormat, Outcome, StepKind};
use crate::inspect::caches::{self, Cache};
use crate::inspect::diff::{Attribution, named as called};
use crate::inspect::dockerfile::Dockerfile;
use crate::inspect::image::{Compression, Format, How, Image, Platform, SourceLine};
use crate::inspect::paths::Paths;
use crate::inspect::{Problem, binary};
use crate::phrase;
use crate::phrase::{Phrase, english, english_or_none, plural};
use crate::units::Unit;
use serde::Serialize;

/// All that is said of an artefact.
#[derive(Debug, Serialize)]
pub struct View {
    /// As it was asked for.
    pub target: String,
    /// `image`, `folder`, `archive`, `binary`, `git`, `log`.
    pub kind: &'static str,
    /// Whether something could not be read, or is only summed up.
    pub partial: bool,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The Dockerfile that lines are those of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<String>,
    /// Of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageView>,
    /// Of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<FolderView>,
    /// Of an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveView>,
    /// Of an ELF file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<BinaryView>,
    /// Of a git directory: its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<Parts>,
    /// Known caches, the largest first.
    pub caches: Vec<CacheView>,
    /// A build log: the target, or the one beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogView>,
    /// The change from another artefact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// What changed, and where, from another artefact to this one.
#[derive(Debug, Serialize)]
pub struct Against {
    /// The other one, as it was asked for.
    pub target: String,
    /// The change and its cause in a line; none when nothing changed.
    #[serde(serialize_with = "english_or_none")]
    pub reason: Option<Phrase>,
    /// The change, taken apart.
    #[serde(flatten)]
    pub attribution: Attribution,
}

/// An image.
#[derive(Debug, Serialize)]
pub struct ImageView {
    format: Format,
    names: Vec<String>,
    digest: Option<String>,
    config_digest: Option<String>,
    platform: Platform,
    created: Option<String>,
    engine: Option<crate::inspect::image::EngineKind>,
    sizes: Sizes,
    layers: Vec<LayerView>,
    /// The largest of them.
    wasted: Vec<WastedView>,
    /// How many there are.
    wasted_files: usize,
}

/// The sizes of an image, in bytes.
#[derive(Debug, Serialize)]
pub struct Sizes {
    stored: u64,
    uncompressed: u64,
    files: u64,
    visible: u64,
    wasted: u64,
    metadata: u64,
    /// What the engine that it came from prints.
    engine: Option<u64>,
}

/// A layer; sizes in bytes.
#[derive(Debug, Serialize)]
pub struct LayerView {
    number: usize,
    digest: Option<String>,
    diff_id: Option<String>,
    compression: Compression,
    stored: u64,
    uncompressed: u64,
    file_bytes: u64,
    unique: u64,
    files: u64,
    instruction: Option<String>,
    source: Option<SourceLine>,
    partial: bool,
}

/// A file that takes its place in one layer and is not seen because of another.
#[derive(Debug, Serialize)]
pub struct WastedView {
    path: String,
    bytes: u64,
    layer: usize,
    by: usize,
    how: How,
}

/// A known cache, and what to try.
#[derive(Debug, Serialize)]
pub struct CacheView {
    tool: &'static str,
    /// Its folder; of several, the largest.
    path: String,
    folders: usize,
    bytes: u64,
    files: u64,
    layer: Option<usize>,
    fix: &'static str,
    #[serde(serialize_with = "english")]
    hypothesis: Phrase,
    /// The command that opens the experiment, up to its hypothesis.
    #[serde(skip)]
    begin: String,
    /// The whole command.
    start: String,
}

/// A folder.
#[derive(Debug, Serialize)]
pub struct FolderView {
    bytes: u64,
    allocated: u64,
    files: u64,
    folders: u64,
    contents: Option<Attribution>,
}

/// An archive.
#[derive(Debug, Serialize)]
pub struct ArchiveView {
    format: crate::inspect::archive::ArchiveFormat,
    compression: Compression,
    stored: u64,
    bytes: u64,
    files: u64,
    contents: Option<Attribution>,
}

/// An ELF file.
#[derive(Debug, Serialize)]
pub struct BinaryView {
    architecture: String,
    bytes: u64,
    sections: Vec<binary::Section>,
    /// Bytes in no section: headers and padding.
    other: u64,
    /// The largest symbols.
    symbols: Vec<binary::Symbol>,
}

/// Named amounts that add up to a whole.
#[derive(Debug, Serialize)]
pub struct Parts {
    bytes: u64,
    parts: Vec<Part>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct Part {
    name: String,
    bytes: u64,
}

/// A build log.
#[derive(Debug, Serialize)]
pub struct LogView {
    name: String,
    format: LogFormat,
    /// Seconds from its first to its last moment, when it tells.
    total: Option<f64>,
    /// Seconds of all steps; those that ran side by side count in full.
    sum: f64,
    cached: usize,
    /// Why it is not whole.
    #[serde(serialize_with = "english_or_none")]
    partial: Option<Phrase>,
    /// In the order of the log; parts point to what they are parts of.
    steps: Vec<StepView>,
}

/// A step of a build.
#[derive(Debug, Serialize)]
pub struct StepView {
    id: String,
    name: String,
    stage: Option<String>,
    kind: StepKind,
    seconds: Option<f64>,
    started: Option<f64>,
    outcome: Outcome,
    parent: Option<usize>,
    /// Where in the Dockerfile.
    source: Option<SourceLine>,
}

/// What is known of an artefact beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The Dockerfile that it was built from, and its name.
    pub dockerfile: Option<(&'a Dockerfile, &'a str)>,
    /// The log of its build, and its name.
    pub log: Option<(&'a BuildLog, &'a str)>,
    /// The longest lists; all when none.
    pub most: Option<usize>,
}

impl View {
    /// What is said of an artefact. In an image, the lines of its Dockerfile are found already.
    pub fn new(target: &str, artefact: &Artefact, beside: Beside<'_>) -> View {
        let most = beside.most.unwrap_or(usize::MAX);
        let mut view = View {
            target: target.to_string(),
            kind: artefact.kind(),
            partial: false,
            problems: Vec::new(),
            dockerfile: beside.dockerfile.map(|(_, name)| name.to_string()),
            image: None,
            folder: None,
            archive: None,
            binary: None,
            git: None,
            caches: Vec::new(),
            log: None,
            against: None,
        };
        match artefact {
            Artefact::Image(image) => {
                (view.partial, view.problems) = (image.is_partial(), image.problems.clone());
                view.image = Some(ImageView::new(image, most));
                view.caches = cache_views(caches::find_in_image(image), &image.paths, most);
            }
            Artefact::Folder(f) => {
                (view.partial, view.problems) = (f.is_partial(), f.problems.clone());
                let contents = contents(artefact, most);
                let (bytes, allocated, files, folders) = (f.bytes, f.allocated, f.files, f.folders);
                view.folder = Some(FolderView { bytes, allocated, files, folders, contents });
                view.caches = cache_views(caches::find(&f.paths, &f.listing), &f.paths, most);
            }
            Artefact::Archive(a) => {
                (view.partial, view.problems) = (a.partial, a.problems.clone());
                view.archive = Some(ArchiveView {
                    format: a.format,
                    compression: a.compression,
                    stored: a.stored,
                    bytes: a.bytes,
                    files: a.listing.files,
                    contents: contents(artefact, most),
                });
                view.caches = cache_views(caches::find(&a.paths, &a.listing), &a.paths, most);
            }
            Artefact::Binary(b) => {
                view.partial = b.partial;
                let mut sections: Vec<_> = b.sections.iter().filter(|s| s.file_bytes > 0).cloned().collect();
                sections.sort_by_key(|s| std::cmp::Reverse(s.file_bytes));
                view.binary = Some(BinaryView {
                    architecture: b.architecture.clone(),
                    bytes: b.file_bytes,
                    sections,
                    other: b.other_bytes(),
                    symbols: b.symbols.iter().take(most).cloned().collect(),
                });
            }
            Artefact::GitDir(g) => {
                (view.partial, view.problems) = (g.folder.is_partial(), g.folder.problems.clone());
                let parts = g.parts.iter().map(|(name, bytes)| Part { name: name.clone(), bytes: *bytes }).collect();
                view.git = Some(Parts { bytes: g.bytes, parts });
            }
            Artefact::Log(log) => {
                view.partial = log.partial.is_some();
                view.log = Some(LogView::new(target, log, beside.dockerfile.map(|d| d.0)));
            }
        }
        if let Some((log, name)) = beside.log {
            view.log = Some(LogView::new(name, log, beside.dockerfile.map(|d| d.0)));
        }
        view
    }
}

impl ImageView {
    fn new(image: &Image, most: usize) -> ImageView {
        let layers = image.layers.iter().map(|l| LayerView {
            number: l.number,
            digest: l.digest.clone(),
            diff_id: l.diff_id.clone(),
            compression: l.compression,
            stored: l.stored,
            uncompressed: l.uncompressed,
            file_bytes: l.file_bytes,
            unique: l.unique,
            files: l.files,
            instruction: l.instruction.clone(),
            source: l.source.clone(),
            partial: l.partial,
        });
        let wasted = image.wasted.iter().take(most).map(|w| WastedView {
            path: image.show(w.path),
            bytes: w.bytes,
            layer: w.layer,
            by: w.by,
            how: w.how,
        });
        ImageView {
            format: image.format,
            names: image.names.clone(),
            digest: image.digest.clone(),
            config_digest: image.config_digest.clone(),
            platform: image.platform.clone(),
            created: image.created.clone(),
            engine: image.engine,
            sizes: Sizes {
                stored: image.stored(),
                uncompressed: image.uncompressed(),
                files: image.file_bytes(),
                visible: image.visible_bytes(),
                wasted: image.wasted_bytes(),
                metadata: image.metadata_bytes,
                engine: image.engine_size,
            },
            layers: layers.collect(),
            wasted: wasted.collect(),
            wasted_files: image.wasted.len(),
        }
    }
}

fn cache_views(found: Vec<Cache>, paths: &Paths, most: usize) -> Vec<CacheView> {
    let mut taken = std::collections::HashSet::new();
    let view = |cache: Cache| {
        let mut name = cache.known.experiment.to_string();
        if let Some(layer) = cache.layer.filter(|_| taken.contains(&name)) {
            name.push_str(&format!("-layer-{layer}"));
        }
        taken.insert(name.clone());
        let hypothesis = cache.hypothesis();
        CacheView {
            tool: cache.known.tool,
            path: paths.show(cache.path),
            folders: cache.folders,
            bytes: cache.bytes,
            files: cache.files,
            layer: cache.layer,
            fix: cache.known.fix,
            start: format!("git verdict start {name} --hypothesis \"{hypothesis}\""),
            begin: format!("git verdict start {name}"),
            hypothesis,
        }
    };
    found.into_iter().take(most).map(view).collect()
}

impl StepView {
    fn cached(&self) -> bool {
        self.outcome == Outcome::Cached
    }
}

impl LogView {
    fn new(name: &str, log: &BuildLog, dockerfile: Option<&Dockerfile>) -> LogView {
        let steps = log.steps.iter().map(|s| {
            let place = dockerfile
                .filter(|_| matches!(s.kind, StepKind::Instruction | StepKind::Base))
                .and_then(|file| Some(file.source_line(file.find_step(&s.text, s.stage.as_deref())?)));
            StepView {
                id: s.id.clone(),
                name: s.name.clone(),
                stage: s.stage.clone(),
                kind: s.kind,
                seconds: s.seconds,
                started: s.started,
                outcome: s.outcome.clone(),
                parent: s.parent,
                source: place,
            }
        });
        LogView {
            name: name.to_string(),
            format: log.format,
            total: log.total,
            sum: log.sum(),
            cached: log.steps.iter().filter(|s| s.cached()).count(),
            partial: log.partial.clone(),
            steps: steps.collect(),
        }
    }
}

fn bytes(amount: u64) -> String {
    Unit::Bytes.show(amount as f64)
}

fn seconds(amount: f64) -> String {
    Unit::Seconds.show(amount)
}

fn named<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

/// The text for a terminal: what it is, its parts, its waste, its caches, the steps of its build, and the change. Lists end
/// after `most` lines, with one for the rest.
pub fn text(view: &View, most: Option<usize>, look: Look) -> String {
    let most = most.unwrap_or(usize::MAX);
    let mut out = Page { look, text: String::new() };
    if let Some(image) = &view.image {
        image_text(&mut out, view, image, most);
    }
    if let Some(folder) = &view.folder {
        let (files, folders) = (files(folder.files), folders(folder.folders));
        let size = bytes(folder.bytes);
        out.head(phrase!(
            "{target}: folder, {size} in {files} and {folders}",
            target = &view.target,
            size,
            files,
            folders
        ));
        out.line(phrase!("  {size} on the file system, as du counts", size = bytes(folder.allocated)));
        out.amounts("What takes the space", folder.contents.as_ref());
    }
    if let Some(archive) = &view.archive {
        let form = match archive.compression {
            Compression::None => named(&archive.format).into(),
            how => phrase!("{format} in {compression}", format = named(&archive.format), compression = named(&how)),
        };
        out.head(phrase!("{target}: {form}, {size}", target = &view.target, form, size = bytes(archive.stored)));
        out.line(phrase!("  {size} in {files}", size = bytes(archive.bytes), files = files(archive.files)));
        let title = if named(&archive.format) == "zip" { "What takes the space in it" } else { "What is in it" };
        out.amounts(title, archive.contents.as_ref());
    }
    if let Some(binary) = &view.binary {
        binary_text(&mut out, view, binary, most);
    }
    if let Some(git) = &view.git {
        out.head(phrase!("{target}: git directory, {size}", target = &view.target, size = bytes(git.bytes)));
        let rows: Vec<_> = git.parts.iter().map(|p| vec![bytes(p.bytes).into(), out.tell(&p.name).into()]).collect();
        out.section("Parts", &[Column::number("bytes"), Column::text("part")], &rows);
    }
    out.problems(&view.problems, most);
    caches_text(&mut out, &view.caches);
    if let Some(log) = &view.log {
        log_text(&mut out, log, most);
    }
    if let Some(against) = &view.against {
        out.title(phrase!("Against {target}: what changed, where", target = &against.target));
        for line in against.attribution.lines(most) {
            out.line(phrase!("  {line}", line));
        }
        if let Some(reason) = &against.reason {
            out.wrapped(phrase!("in short: {reason}", reason), 2);
        }
        if against.attribution.partial {
            out.line("  one of the two could not be read whole");
        }
    }
    out.text
}

/// Lines of at most the terminal's width.
struct Page {
    look: Look,
    text: String,
}

impl Page {
    fn tell(&self, text: impl Into<Phrase>) -> String {
        text.into().in_language(&self.look.lang)
    }

    fn line(&mut self, line: impl Into<Phrase>) {
        let line = self.tell(line);
        self.text.push_str(cut(&neutral(&line), self.look.width).trim_end());
        self.text.push('\n');
    }

    fn head(&mut self, line: impl Into<Phrase>) {
        let line = self.tell(line);
        for line in wrap(&clean(&line), self.look.width, 2).lines() {
            self.text.push_str(&Tone::Strong.paint(&cut(line, self.look.width), self.look));
            self.text.push('\n');
        }
    }

    fn title(&mut self, line: impl Into<Phrase>) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.head(line);
    }

    fn wrapped(&mut self, text: impl Into<Phrase>, indent: usize) {
        let wide = self.look.width.saturating_sub(indent);
        let text = self.tell(text);
        for line in wrap(&clean(&text), wide, 2).lines() {
            self.line(format!("{}{line}", " ".repeat(indent)));
        }
    }

    fn section(&mut self, title: impl Into<Phrase>, columns: &[Column], rows: &[Vec<Cell>]) {
        self.title(title);
        self.table(columns, rows);
    }

    fn table(&mut self, columns: &[Column], rows: &[Vec<Cell>]) {
        let columns: Vec<Column> = columns.iter().map(|column| column.headed(self.tell(column.heading()))).collect();
        let look = self.look.with_width(self.look.width.saturating_sub(2));
        for line in table(&columns, rows, look).lines() {
            self.text.push_str(&format!("  {line}\n"));
        }
    }

    fn amounts(&mut self, title: &str, found: Option<&Attribution>) {
        let Some(found) = found.filter(|f| f.after > 0) else { return };
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let show = |amount: i64| Cell::from(found.unit.show(found.value(amount)));
        for row in &found.rows {
            rows.push(vec![show(row.change), self.tell(called(&row.what)).into()]);
        }
        if found.unexplained != 0 {
            rows.push(vec![show(found.unexplained), self.tell(&found.unexplained_as).into()]);
        }
        rows.push(vec![show(found.after), self.tell("in all").into()]);
        self.section(title, &[Column::number("bytes"), Column::text("where")], &rows);
    }

    fn problems(&mut self, problems: &[Problem], most: usize) {
        if problems.is_empty() {
            return;
        }
        self.title("What is wrong with it");
        for problem in problems.iter().take(most) {
            self.wrapped(problem.told(), 2);
        }
        if problems.len() > most {
            self.line(phrase!("  and {n} more", n = problems.len() - most));
        }
    }
}

/// `1 file`, `2 files`.
fn files(n: u64) -> Phrase {
    phrase!("{n} file{s}", n, s = plural(n as usize))
}

fn folders(n: u64) -> Phrase {
    phrase!("{n} folder{s}", n, s = plural(n as usize))
}

fn image_text(out: &mut Page, view: &View, image: &ImageView, most: usize) {
    let n = image.layers.len();
    let layers = phrase!("{n} layer{s}", n, s = plural(n));
    let (target, format, platform) = (&view.target, named(&image.format), image.platform.to_string());
    out.head(phrase!("{target}: image, {format}, {platform}, {layers}", target, format, platform, layers));
    let sizes = &image.sizes;
    let share = if sizes.files > 0 { 100.0 * sizes.wasted as f64 / sizes.files as f64 } else { 0.0 };
    let hidden = phrase!("what later layers hide: {share} % of the files", share = format!("{share:.1}"));
    let mut rows: Vec<(Phrase, u64, Phrase)> = vec![
        ("stored".into(), sizes.stored, "the layers as they are stored, each once".into()),
        ("uncompressed".into(), sizes.uncompressed, "their tar streams".into()),
        ("files".into(), sizes.files, "the content of all files in them".into()),
        ("visible".into(), sizes.visible, "what the finished image shows".into()),
        ("wasted".into(), sizes.wasted, hidden),
    ];
    if let (Some(printed), Some(engine)) = (sizes.engine, image.engine) {
        rows.push((phrase!("{engine} says", engine = engine.program()), printed, "the size that it prints".into()));
    }
    for (name, amount, note) in rows {
        let name = pad(&out.tell(name), 13, Align::Left);
        out.line(format!("  {name} {:>9}  {}", bytes(amount), out.tell(note)));
    }

    let lines = image.layers.iter().any(|l| l.source.is_some());
    let mut columns = vec![
        Column::number("#"),
        Column::number("stored"),
        Column::number("uncompressed"),
        Column::number("unique"),
        Column::text("instruction"),
    ];
    if lines {
        columns.insert(4, Column::number("line"));
    }
    let partial = out.tell("partial: ");
    let row = |l: &LayerView| {
        let instruction = l.source.as_ref().map(|s| s.text.as_str()).or(l.instruction.as_deref()).unwrap_or("");
        let partial = if l.partial { partial.as_str() } else { "" };
        let mut row: Vec<Cell> = vec![
            l.number.to_string().into(),
            bytes(l.stored).into(),
            bytes(l.uncompressed).into(),
            bytes(l.unique).into(),
            format!("{partial}{instruction}").into(),
        ];
        if lines {
            row.insert(4, l.source.as_ref().map(|s| s.first.to_string()).unwrap_or_default().into());
        }
        row
    };
    let rows: Vec<_> = image.layers.iter().map(row).collect();
    let title = match &view.dockerfile {
        Some(name) if lines => phrase!("Layers, with lines of {name}", name),
        _ => "Layers".into(),
    };
    out.section(title, &columns, &rows);

    if sizes.wasted == 0 {
        return;
    }
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for w in image.wasted.iter().take(most) {
        let how = match w.how {
            How::Deleted => "deleted",
            How::Overwritten => "overwritten",
            How::Rewritten => "rewritten",
        };
        rows.push(vec![
            bytes(w.bytes).into(),
            w.layer.to_string().into(),
            w.by.to_string().into(),
            out.tell(how).into(),
            w.path.as_str().into(),
        ]);
    }
    let shown: u64 = image.wasted.iter().take(most).map(|w| w.bytes).sum();
    let left = sizes.wasted.saturating_sub(shown);
    if left > 0 {
        let files = image.wasted_files.saturating_sub(image.wasted.len().min(most));
        let what = match files {
            0 => "written twice in one layer".into(),
            n => phrase!("{n} more file{s}", n, s = plural(n)),
        };
        rows.push(vec![bytes(left).into(), "".into(), "".into(), "".into(), out.tell(what).into()]);
    }
    let columns = [
        Column::number("bytes"),
        Column::number("layer"),
        Column::number("by"),
        Column::word("how"),
        Column::text("file"),
    ];
    out.section(phrase!("Wasted: {size}", size = bytes(sizes.wasted)), &columns, &rows);
}

fn binary_text(out: &mut Page, view: &View, binary: &BinaryView, most: usize) {
    out.head(format!("{}: ELF, {}, {}", view.target, binary.architecture, bytes(binary.bytes)));
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for section in binary.sections.iter().take(most) {
        rows.push(vec![bytes(section.file_bytes).into(), section.name.as_str().into()]);
    }
    if binary.sections.len() > most {
        let rest = binary.sections[most..].iter().map(|s| s.file_bytes).sum();
        rows.push(vec![bytes(rest).into(), out.tell(phrase!("{n} more", n = binary.sections.len() - most)).into()]);
    }
    rows.push(vec![bytes(binary.other).into(), out.tell("headers and padding").into()]);
    rows.push(vec![bytes(binary.bytes).into(), out.tell("in all").into()]);
    out.section("Sections", &[Column::number("bytes"), Column::text("section")], &rows);
    if binary.symbols.is_empty() {
        out.line("  no symbols: it was stripped");
        return;
    }
    let row = |s: &binary::Symbol| vec![bytes(s.bytes).into(), s.section.as_str().into(), s.name.as_str().into()];
    let rows: Vec<_> = binary.symbols.iter().take(most).map(row).collect();
    let columns = [Column::number("bytes"), Column::word("section"), Column::text("symbol")];
    out.section("Largest symbols", &columns, &rows);
}

fn caches_text(out: &mut Page, caches: &[CacheView]) {
    if caches.is_empty() {
        return;
    }
    out.title("Known caches");
    for cache in caches {
        let (size, tool, path) = (bytes(cache.bytes), cache.tool, &cache.path);
        let place = match cache.folders {
            0 | 1 => phrase!("{size} of {tool} in {path}", size, tool, path),
            n => phrase!("{size} of {tool} in {path} and {n} more", size, tool, path, n = n - 1),
        };
        out.wrapped(
            match cache.layer {
                Some(layer) => phrase!("layer {layer}: {place}", layer, place),
                None => place,
            },
            2,
        );
        out.wrapped(phrase!("fix: {fix}", fix = Phrase::from(cache.fix)), 4);
        let hypothesis = format!("--hypothesis \"{}\"", out.tell(&cache.hypothesis));
        let wide = width(&cache.begin) + 1 + width(&hypothesis) + 4 > out.look.width;
        out.text.push_str(&format!("    {}{}{hypothesis}\n", cache.begin, if wide { " \\\n    " } else { " " }));
    }
}

fn log_text(out: &mut Page, log: &LogView, most: usize) {
    let whole: Vec<usize> = (0..log.steps.len()).filter(|&i| log.steps[i].parent.is_none()).collect();
    let (n, s) = (whole.len(), plural(whole.len()));
    let steps = match log.total {
        Some(total) => phrase!("{n} step{s} in {time}", n, s, time = seconds(total)),
        None if log.sum > 0.0 => phrase!("{n} step{s} of {time} together", n, s, time = seconds(log.sum)),
        None => phrase!("{n} step{s}", n, s),
    };
    let (name, format) = (&log.name, named(&log.format));
    out.title(match log.cached {
        0 => phrase!("{name}: build log, {format}, {steps}", name, format, steps),
        n => phrase!("{name}: build log, {format}, {steps}, {n} cached", name, format, steps, n),
    });
    if let Some(why) = &log.partial {
        out.wrapped(phrase!("partial: {why}", why), 2);
    }
    if whole.is_empty() {
        return;
    }
    // By time, and what tells none behind; then the cached ones, which took none.
    let (cached, mut timed): (Vec<usize>, Vec<usize>) = whole.into_iter().partition(|&i| log.steps[i].cached());
    timed.sort_by_key(|&i| (std::cmp::Reverse(log.steps[i].seconds.map(|s| (s * 1e6) as u64)), i));
    let lines = log.steps.iter().any(|s| s.source.is_some());
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let lang = out.look.lang;
    let tell = |text: &str| Phrase::from(text).in_language(&lang);
    let mut put = |step: &StepView, indent: &str| {
        let time = match (&step.outcome, step.seconds) {
            (Outcome::Cached, _) => tell("cached"),
            (_, Some(time)) => seconds(time),
            (Outcome::Unfinished, None) => tell("no end"),
            (_, None) => "-".to_string(),
        };
        let mark = match &step.outcome {
            Outcome::Failed(_) => tell("failed: "),
            Outcome::Canceled => tell("given up: "),
            Outcome::Unfinished if step.seconds.is_some() => tell("no end: "),
            _ => String::new(),
        };
        let mut row: Vec<Cell> = vec![time.into(), format!("{indent}{mark}{}", step.name).into()];
        if lines {
            row.insert(1, step.source.as_ref().map(|s| s.first.to_string()).unwrap_or_default().into());
        }
        rows.push(row);
    };
    for &i in timed.iter().take(most) {
        put(&log.steps[i], "");
        let mut parts: Vec<&StepView> = log.steps.iter().filter(|s| s.parent == Some(i)).collect();
        parts.retain(|p| p.seconds.is_some_and(|s| s >= 0.05));
        parts.sort_by(|a, b| b.seconds.unwrap_or(0.0).total_cmp(&a.seconds.unwrap_or(0.0)));
        for part in parts.into_iter().take(most.min(5)) {
            put(part, "· ");
        }
    }
    for &i in cached.iter().take(most) {
        put(&log.steps[i], "");
    }
    let left: Vec<usize> = timed.iter().skip(most).chain(cached.iter().skip(most)).copied().collect();
    if !left.is_empty() {
        let rest: f64 = left.iter().filter_map(|&i| log.steps[i].seconds).sum();
        let more = phrase!("{n} more step{s}", n = left.len(), s = plural(left.len()));
        let mut row: Vec<Cell> = vec![seconds(rest).into(), out.tell(more).into()];
        if lines {
            row.insert(1, "".into());
        }
        rows.push(row);
    }
    let mut columns = vec![Column::number("time"), Column::text("step")];
    if lines {
        columns.insert(1, Column::number("line"));
    }
    out.table(&columns, &rows);
}
