//! Text of `verdict.toml` -> [`Config`], with errors that point at the bad word.
//!
//! All problems of a file are collected, and the one that stands first in it is reported: what a reader meets first is
//! what they can mend first.

use super::error::{Problem, echo, suggest};
use super::quantity::{amount, describe, timeout};
use super::worth::{self, Named, contradiction};
use super::{
    AdrFormat, Better, Check, Command, Compress, Config, ConfigError, Extract, Matters, Metric, Policy, Resource,
    RevertMode, Source, Step,
};
use crate::digest::sha256;
use crate::measure::placement::Placement;
use crate::phrase;
use crate::phrase::{Lang, Phrase};
use crate::units::{Ratio, Unit, base_unit, split_quantity};
use std::ops::Range;
use std::path::{Component, Path};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The version of the format that this program reads.
const VERSION: i64 = 1;
/// The longest name of a step, a metric or a check.
const LONGEST_NAME: usize = 64;

const TOP_KEYS: &[&str] = &["version", "lang", "measure", "steps", "metrics", "checks", "policy", "adr"];
const STEP_KEYS: &[&str] = &["run", "prepare", "timeout", "warmup", "once"];
const MEASURE_KEYS: &[&str] = &["pin", "nice"];
const CHECK_KEYS: &[&str] = &["run", "timeout"];
const POLICY_KEYS: &[&str] = &["worth", "base", "revert", "keep_type", "adr"];
const ADR_KEYS: &[&str] = &["dir", "format"];
const METRIC_KEYS: &[&str] = &[
    "step",
    "measure",
    "image",
    "build_step",
    "path",
    "compress",
    "run",
    "pattern",
    "json",
    "unit",
    "timeout",
    "better",
    "matters",
    "limit",
];
/// Keys that belong to one kind of metric: the key, and the source that it goes with.
const KEYS_OF_A_SOURCE: &[(&str, &str)] = &[
    ("measure", "step"),
    ("compress", "path"),
    ("pattern", "run"),
    ("json", "run"),
    ("unit", "run"),
    ("timeout", "run"),
];
const RESOURCES: &[(&str, Resource)] = &[
    ("wall", Resource::Wall),
    ("user", Resource::User),
    ("system", Resource::System),
    ("cpu", Resource::Cpu),
    ("max_rss", Resource::MaxRss),
    ("instructions", Resource::Instructions),
];
const COMPRESSIONS: &[(&str, Compress)] =
    &[("gzip", Compress::Gzip), ("zstd", Compress::Zstd), ("brotli", Compress::Brotli)];
const DIRECTIONS: &[(&str, Better)] = &[("lower", Better::Lower), ("higher", Better::Higher)];
const LANGUAGES: &[(&str, Lang)] = &[("en", Lang::En), ("zh-CN", Lang::ZhCn)];
const REVERT_MODES: &[(&str, RevertMode)] =
    &[("merge", RevertMode::Merge), ("in-place", RevertMode::InPlace), ("archive", RevertMode::Archive)];

const ADR_FORMATS: &[(&str, AdrFormat)] =
    &[("madr", AdrFormat::Madr), ("madr-minimal", AdrFormat::MadrMinimal), ("nygard", AdrFormat::Nygard)];

pub(super) fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = phrase!("TOML syntax: {message}", message = toml_words(error.message()));
        Problem { at, message, help: None }.locate(text, file)
    })?;
    let root = Table::new("", 0, document.get_ref());
    version(&root).map_err(|problem| problem.locate(text, file))?;

    let mut reader = Reader { text, problems: Vec::new() };
    let mut config = reader.config(&root);
    match reader.problems.into_iter().min_by_key(|problem| problem.at) {
        Some(first) => Err(first.locate(text, file)),
        None => {
            config.hash = sha256(text);
            Ok(config)
        }
    }
}

/// The value of `lang`, from the head of the file: keys of the root stand before the first table.
pub(super) fn language(text: &str) -> Option<Lang> {
    if !text.contains("lang") {
        return None;
    }
    let head = text.split("\n[").next().filter(|head| !head.starts_with('['))?;
    let table: toml::Table = head.parse().ok()?;
    let word = table.get("lang")?.as_str()?;
    LANGUAGES.iter().find(|(name, _)| *name == word).map(|(_, lang)| *lang)
}

/// The version is read before all else: what a later one allows is not for this program to call wrong.
fn version(root: &Table) -> Result<(), Problem> {
    let Some(field) = root.field("version") else {
        if let Some(typo) = root.fields.iter().find(|f| super::nearest(f.key, ["version"]).is_some()) {
            let message = phrase!("unknown key '{key}'", key = echo(typo.key));
            return Err(Problem::new(typo.at.start, message, "did you mean 'version'?"));
        }
        return Err(Problem::new(
            0,
            "the file has no 'version'",
            phrase!("begin the file with: version = {version}", version = VERSION),
        ));
    };
    let DeValue::Integer(number) = field.value.get_ref() else {
        return Err(wrong_type(field, "a whole number", &VERSION.to_string()));
    };
    let shown = echo(&number.to_string());
    match i64::from_str_radix(number.as_str(), number.radix()) {
        Ok(VERSION) => Ok(()),
        Ok(n) if n < VERSION => Err(Problem::new(
            field.value.span().start,
            phrase!("version {shown} of the format does not exist", shown),
            phrase!("write {example}", example = format!("version = {VERSION}")),
        )),
        _ => Err(Problem::new(
            field.value.span().start,
            phrase!(
                "version {shown} of the format is newer than this program, which reads version {version}",
                shown,
                version = VERSION
            ),
            "install a newer git-verdict",
        )),
    }
}

/// One key of a table.
struct Field<'t, 'i> {
    key: &'t str,
    at: Range<usize>,
    value: &'t Spanned<DeValue<'i>>,
}

/// A table whose fields are in the order of the file.
struct Table<'t, 'i> {
    /// How messages call it.
    place: String,
    /// Where its name stands.
    at: usize,
    fields: Vec<Field<'t, 'i>>,
}

impl<'t, 'i> Table<'t, 'i> {
    fn new(place: impl Into<String>, at: usize, table: &'t DeTable<'i>) -> Self {
        let mut fields: Vec<_> =
            table.iter().map(|(key, value)| Field { key: key.get_ref(), at: key.span(), value }).collect();
        fields.sort_by_key(|field| field.at.start);
        Table { place: place.into(), at, fields }
    }

    fn field(&self, key: &str) -> Option<&Field<'t, 'i>> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// Reads tables and collects what is wrong with them.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self, root: &Table) -> Config {
        self.known_keys(root, TOP_KEYS);
        let steps_table = self.sub_table(root, "steps");
        let metrics_table = self.sub_table(root, "metrics");
        let names = |table: &Option<Table>| -> Vec<String> {
            table.iter().flat_map(|t| &t.fields).map(|f| f.key.to_string()).collect()
        };
        let (step_names, metric_names) = (names(&steps_table), names(&metrics_table));

        let mut config = Config::default();
        for field in steps_table.iter().flat_map(|t| &t.fields) {
            self.name(field, "step");
            config.steps.extend(self.step(field));
        }
        for field in metrics_table.iter().flat_map(|t| &t.fields) {
            self.name(field, "metric");
            let metric = self.metric(field, &step_names);
            if let Some(metric) = &metric {
                self.sampled(field, metric, &config.steps);
            }
            config.metrics.extend(metric);
        }
        for field in self.sub_table(root, "checks").iter().flat_map(|t| &t.fields) {
            self.name(field, "check");
            config.checks.extend(self.check(field));
        }
        config.lang = root.field("lang").and_then(|field| self.choice(field, "language", LANGUAGES));
        if let Some(table) = self.sub_table(root, "measure") {
            config.placement = self.placement(&table);
        }
        if let Some(table) = self.sub_table(root, "policy") {
            config.policy = self.policy(&table, &metric_names, &config.metrics);
        }
        if let Some(table) = self.sub_table(root, "adr") {
            self.adr(&table, &mut config.policy);
        }
        config
    }

    fn step(&mut self, field: &Field) -> Option<Step> {
        let table = self.table(field, format!("[steps.{}]", echo(field.key)))?;
        self.known_keys(&table, STEP_KEYS);
        let prepare = table.field("prepare").and_then(|f| self.command(f));
        let timeout = table.field("timeout").and_then(|f| self.timeout(f));
        let warmup = table.field("warmup").and_then(|f| self.whole(f, 0..=100, "1")).unwrap_or(0);
        let once = table.field("once").and_then(|f| self.flag(f)).unwrap_or(false);
        if let Some(field) = table.field("warmup").filter(|_| once && warmup > 0) {
            self.problem(field.at.start, "a step that runs once has no use for 'warmup'", "remove 'warmup'");
        }
        let run = self.required_command(&table)?;
        Some(Step { name: field.key.to_string(), run, prepare, timeout, warmup: warmup as u32, once })
    }

    /// A metric of what a step uses needs the step in every sample.
    fn sampled(&mut self, field: &Field, metric: &Metric, steps: &[Step]) {
        let (Source::Step { step, .. } | Source::BuildStep { step, .. }) = &metric.source else { return };
        if steps.iter().any(|s| s.once && s.name == *step) {
            let message = phrase!("step '{step}' runs once, and this metric reads it in every sample", step);
            self.problem(field.at.start, message, phrase!("remove 'once' from [steps.{step}]", step));
        }
    }

    /// Yes or no.
    fn flag(&mut self, field: &Field) -> Option<bool> {
        match field.value.get_ref() {
            DeValue::Boolean(yes) => Some(*yes),
            _ => {
                self.problems.push(wrong_type(field, "true or false", "true"));
                None
            }
        }
    }

    fn placement(&mut self, table: &Table) -> Placement {
        self.known_keys(table, MEASURE_KEYS);
        let mut pin = Vec::new();
        if let Some(field) = table.field("pin") {
            match field.value.get_ref() {
                DeValue::Array(items) if !items.is_empty() => {
                    for value in items.iter() {
                        let item = Field { key: field.key, at: field.at.clone(), value };
                        pin.extend(self.whole(&item, 0..=1023, "2").map(|n| n as usize));
                    }
                }
                _ => self.problems.push(wrong_type(field, "a list of processors", "[2, 3]")),
            }
        }
        let nice = table.field("nice").and_then(|f| self.whole(f, -20..=19, "-5")).map(|n| n as i32);
        Placement { pin, nice }
    }

    /// A whole number within bounds.
    fn whole(&mut self, field: &Field, bounds: std::ops::RangeInclusive<i64>, example: &str) -> Option<i64> {
        let DeValue::Integer(number) = field.value.get_ref() else {
            self.problems.push(wrong_type(field, "a whole number", example));
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) if bounds.contains(&n) => Some(n),
            _ => {
                let message = phrase!(
                    "'{key}' is {number}, and goes from {least} to {most}",
                    key = field.key,
                    number = number.to_string(),
                    least = bounds.start(),
                    most = bounds.end()
                );
                self.problem(
                    field.value.span().start,
                    message,
                    phrase!("write {example}", example = format!("{} = {example}", field.key)),
                );
                None
            }
        }
    }

    fn check(&mut self, field: &Field) -> Option<Check> {
        let name = field.key.to_string();
        if !field.value.get_ref().is_table() {
            return Some(Check { name, run: self.command(field)?, timeout: None });
        }
        let table = self.table(field, format!("[checks.{}]", echo(field.key)))?;
        self.known_keys(&table, CHECK_KEYS);
        let timeout = table.field("timeout").and_then(|f| self.timeout(f));
        Some(Check { name, run: self.required_command(&table)?, timeout })
    }

    fn metric(&mut self, field: &Field, steps: &[String]) -> Option<Metric> {
        let table = self.table(field, format!("[metrics.{}]", echo(field.key)))?;
        self.known_keys(&table, METRIC_KEYS);
        let better = table.field("better").and_then(|f| self.choice(f, "direction", DIRECTIONS)).unwrap_or_default();
        let source_key = self.source_key(&table)?;
        for (key, owner) in KEYS_OF_A_SOURCE {
            if let Some(stray) = table.field(key).filter(|_| *owner != source_key) {
                let message = phrase!(
                    "'{key}' belongs to a '{owner}' metric, and this one reads '{source_key}'",
                    key,
                    owner,
                    source_key
                );
                self.problem(stray.at.start, message, format!("remove '{key}'"));
            }
        }
        let (source, unit) = self.source(&table, source_key, steps)?;
        let name = field.key;
        let counted = matches!(source, Source::Step { measure: Resource::Instructions, .. });
        let default = Matters::Relative(Ratio(if unit == Unit::Bytes || counted { 0.01 } else { 0.05 }));
        let matters = table.field("matters").and_then(|f| self.matters(f, &unit, name)).unwrap_or(default);
        let limit = table.field("limit").and_then(|f| self.amount(f, &unit, name));
        Some(Metric { name: name.to_string(), source, unit, better, matters, limit })
    }

    /// The one key that says what the metric reads; `step` is part of a `build_step` source when both stand there.
    fn source_key(&mut self, table: &Table) -> Option<&'static str> {
        const SOURCES: [&str; 5] = ["step", "image", "build_step", "path", "run"];
        let mut found: Vec<(usize, &'static str)> =
            SOURCES.into_iter().filter_map(|key| table.field(key).map(|f| (f.at.start, key))).collect();
        if found.iter().any(|(_, key)| *key == "build_step") {
            found.retain(|(_, key)| *key != "step");
        }
        found.sort();
        match found[..] {
            [] => {
                // A near miss has been reported as an unknown key.
                if table.fields.iter().all(|f| METRIC_KEYS.contains(&f.key)) {
                    let message = phrase!("{place} has no source", place = &table.place);
                    self.problem(table.at, message, "add one of: step, image, build_step, path, run");
                }
                None
            }
            [(_, one)] => Some(one),
            [(_, first), (at, second), ..] => {
                let message =
                    phrase!("{place} has two sources, '{first}' and '{second}'", place = &table.place, first, second);
                self.problem(at, message, "keep one, and make a metric of its own for the other");
                None
            }
        }
    }

    fn source(&mut self, table: &Table, key: &str, steps: &[String]) -> Option<(Source, Unit)> {
        let field = table.field(key)?;
        match key {
            "step" => {
                let step = self.step_name(field, steps);
                let measure = match table.field("measure") {
                    Some(f) => self.choice(f, "resource", RESOURCES)?,
                    None => Resource::Wall,
                };
                let unit = match measure {
                    Resource::MaxRss => Unit::Bytes,
                    Resource::Instructions => Unit::Count,
                    _ => Unit::Seconds,
                };
                Some((Source::Step { step: step?, measure }, unit))
            }
            "image" => {
                let reference = self.word(field)?;
                if reference.starts_with('-') {
                    let message = phrase!("'{reference}' is not an image reference", reference = echo(reference));
                    self.problem_in(
                        field,
                        reference,
                        message,
                        phrase!("write {example}", example = "image = \"app:tag\""),
                    );
                    return None;
                }
                Some((Source::Image { reference: reference.to_string() }, Unit::Bytes))
            }
            "build_step" => {
                let pattern = self.word(field).map(str::to_string);
                let step = match table.field("step") {
                    Some(f) => self.step_name(f, steps)?,
                    None => {
                        let example = steps.first().map_or("build".to_string(), |s| echo(s));
                        let message = "'build_step' does not say which step's log it reads";
                        self.problem(field.at.start, message, phrase!("add: step = \"{example}\"", example));
                        return None;
                    }
                };
                Some((Source::BuildStep { pattern: pattern?, step }, Unit::Seconds))
            }
            "path" => {
                let path = self.path(field, true);
                let compress = match table.field("compress") {
                    Some(f) => Some(self.choice(f, "compression", COMPRESSIONS)?),
                    None => None,
                };
                Some((Source::Path { path: path?, compress }, Unit::Bytes))
            }
            _ => {
                let run = self.command(field);
                let timeout = table.field("timeout").and_then(|f| self.timeout(f));
                let extract = self.extract(table);
                let (unit, scale) = match table.field("unit") {
                    Some(f) => self.unit(f)?,
                    None => (Unit::Count, 1.0),
                };
                Some((Source::Command { run: run?, extract: extract?, scale, timeout }, unit))
            }
        }
    }

    fn extract(&mut self, table: &Table) -> Option<Extract> {
        match (table.field("pattern"), table.field("json")) {
            (None, None) => Some(Extract::Whole),
            (Some(field), None) => {
                let pattern = self.string(field, "'([0-9.]+)'")?;
                self.regex(field, pattern).then(|| Extract::Pattern(pattern.to_string()))
            }
            (None, Some(field)) => {
                let pointer = self.string(field, "\"/results/0/rps\"")?;
                self.json_pointer(field, pointer).then(|| Extract::Json(pointer.to_string()))
            }
            (Some(a), Some(b)) => {
                let message = "'pattern' and 'json' both say how the number is found";
                self.problem(a.at.start.max(b.at.start), message, "keep one of them");
                None
            }
        }
    }

    fn regex(&mut self, field: &Field, pattern: &str) -> bool {
        match regex::Regex::new(pattern) {
            Ok(regex) if regex.captures_len() >= 2 => true,
            Ok(_) => {
                let message =
                    phrase!("the regular expression '{pattern}' has no capture group", pattern = echo(pattern));
                self.problem_in(field, pattern, message, "put parentheses around the number: ([0-9.]+)");
                false
            }
            Err(error) => {
                let reason = match &error {
                    regex::Error::Syntax(text) => {
                        Phrase::from(single_line(text.lines().last().unwrap_or_default().trim_start_matches("error: ")))
                    }
                    regex::Error::CompiledTooBig(limit) => {
                        phrase!("it is larger than {limit} bytes when compiled", limit)
                    }
                    other => single_line(&other.to_string()).into(),
                };
                let message =
                    phrase!("'{pattern}' is not a regular expression: {reason}", pattern = echo(pattern), reason);
                self.problem_in(field, pattern, message, "in single quotes TOML leaves backslashes as they are");
                false
            }
        }
    }

    fn json_pointer(&mut self, field: &Field, pointer: &str) -> bool {
        let bad_escape = pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
        let reason = if !pointer.is_empty() && !pointer.starts_with('/') {
            "it does not start with '/'"
        } else if bad_escape {
            "'~' stands only in '~0' (for ~) and '~1' (for /)"
        } else {
            return true;
        };
        let help = match pointer.trim_start_matches(['$', '.']) {
            path if pointer.starts_with('/') || path.is_empty() => "see RFC 6901".into(),
            path => phrase!("write {example}", example = format!("json = \"/{}\"", echo(&path.replace('.', "/")))),
        };
        self.problem_in(
            field,
            pointer,
            phrase!(
                "'{pointer}' is not a JSON pointer: {reason}",
                pointer = echo(pointer),
                reason = Phrase::from(reason)
            ),
            help,
        );
        false
    }

    /// The unit of a command's readings, as its base unit and the factor to it.
    fn unit(&mut self, field: &Field) -> Option<(Unit, f64)> {
        const SPELLED_OUT: &[(&str, &str)] = &[
            ("byte", "B"),
            ("bytes", "B"),
            ("sec", "s"),
            ("secs", "s"),
            ("second", "s"),
            ("seconds", "s"),
            ("msec", "ms"),
            ("millisecond", "ms"),
            ("milliseconds", "ms"),
            ("mins", "min"),
            ("minute", "min"),
            ("minutes", "min"),
            ("hour", "h"),
            ("hours", "h"),
        ];
        const SYMBOLS: &[&str] =
            &["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "ns", "us", "ms", "s", "min", "h"];
        let word = self.string(field, "\"req/s\"")?;
        if word.is_empty() {
            return Some((Unit::Count, 1.0));
        }
        if let Some(known) = base_unit(word) {
            return Some(known);
        }
        let lower = word.to_lowercase();
        let meant = SPELLED_OUT
            .iter()
            .find(|(spelled, _)| *spelled == lower)
            .map(|(_, symbol)| *symbol)
            .or_else(|| SYMBOLS.iter().find(|symbol| symbol.to_lowercase() == lower).copied());
        if let Some(symbol) = meant {
            self.problem_in(
                field,
                word,
                phrase!("unknown unit '{word}'", word = echo(word)),
                phrase!("did you mean '{near}'?", near = symbol),
            );
            return None;
        }
        let plain = word.chars().count() <= 16
            && !word.starts_with(|c: char| c.is_ascii_digit() || "+-.[".contains(c))
            && word.chars().all(|c| !c.is_whitespace() && c.escape_debug().count() == 1);
        if !plain {
            let message = phrase!("'{word}' cannot be a unit", word = echo(word));
            self.problem_in(field, word, message, "use one word of at most 16 characters, such as req/s");
            return None;
        }
        Some((Unit::Custom(word.to_string()), 1.0))
    }

    fn matters(&mut self, field: &Field, unit: &Unit, metric: &str) -> Option<Matters> {
        let percentage = field.value.get_ref().as_str().and_then(|text| Some((text, text.trim().strip_suffix('%')?)));
        let Some((text, number)) = percentage else {
            let value = self.amount(field, unit, metric)?;
            if value <= 0.0 {
                let message = "'matters' is zero, so that no difference would be too small";
                self.problem(field.value.span().start, message, "write a size or share above zero, such as \"1%\"");
                return None;
            }
            return Some(Matters::Absolute(value));
        };
        match split_quantity(number) {
            Ok((percent, "")) if percent / 100.0 > 0.0 => Some(Matters::Relative(Ratio(percent / 100.0))),
            _ => {
                let message = phrase!("'{text}' is not a percentage above zero", text = echo(text));
                self.problem_in(field, text, message, phrase!("write {example}", example = "matters = \"5%\""));
                None
            }
        }
    }

    /// A value of the metric's unit: text, or a bare TOML number where the unit is not a size or a time.
    fn amount(&mut self, field: &Field, unit: &Unit, metric: &str) -> Option<f64> {
        let text = match field.value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => n.to_string(),
                Err(_) => n.to_string(),
            },
            DeValue::Float(n) => n.to_string(),
            _ => {
                let (kind, example) = describe(unit);
                self.problems.push(wrong_type_text(field, kind, example));
                return None;
            }
        };
        if *unit != Unit::Custom("%".to_string()) && text.trim().ends_with('%') {
            let message = phrase!("'{key}' is a value and no percentage", key = field.key);
            self.problem_in(field, &text, message, phrase!("write {example}", example = describe(unit).1));
            return None;
        }
        match amount(&text, unit, metric) {
            Ok(value) => Some(value),
            Err(problem) => {
                let at = self.offset_in(field, &text, problem.at);
                self.problems.push(Problem { at, ..problem });
                None
            }
        }
    }

    fn policy(&mut self, table: &Table, names: &[String], metrics: &[Metric]) -> Policy {
        self.known_keys(table, POLICY_KEYS);
        let base = table.field("base").and_then(|f| self.base(f));
        let revert = table.field("revert").and_then(|f| self.choice(f, "revert mode", REVERT_MODES));
        let keep_type = table.field("keep_type").and_then(|f| self.keep_type(f));
        let adr = table.field("adr").and_then(|f| self.path(f, false));
        let worth = table.field("worth").map(|f| self.worth(f, names, metrics)).unwrap_or_default();
        Policy { worth, base, revert: revert.unwrap_or_default(), keep_type, adr, adr_format: None }
    }

    fn adr(&mut self, table: &Table, policy: &mut Policy) {
        self.known_keys(table, ADR_KEYS);
        policy.adr_format = table.field("format").and_then(|f| self.choice(f, "format", ADR_FORMATS));
        let Some(field) = table.field("dir") else { return };
        if policy.adr.is_some() {
            let message = "the folder of decision files is named twice: here and by 'adr' in [policy]";
            self.problem(field.at.start, message, "keep 'dir' in [adr]");
        }
        policy.adr = self.path(field, false).or(policy.adr.take());
    }

    fn worth(&mut self, field: &Field, names: &[String], metrics: &[Metric]) -> Vec<super::Worth> {
        const EXAMPLE: &str = "[\"1 min build_time = 500 MB image_size\"]";
        let lines: Vec<&Spanned<DeValue>> = match field.value.get_ref() {
            DeValue::String(_) => vec![field.value],
            DeValue::Array(items) => items.iter().collect(),
            _ => {
                self.problems.push(wrong_type(field, "a list of exchange rates", EXAMPLE));
                return Vec::new();
            }
        };
        let unit_of = |name: &str| metrics.iter().find(|m| m.name == name).map(|m| &m.unit);
        let known = worth::with_maintenance(names.iter().map(|name| Named { name, unit: unit_of(name) }).collect());
        let (mut rates, mut places) = (Vec::new(), Vec::new());
        for value in lines {
            let item = Field { key: field.key, at: field.at.clone(), value };
            let Some(line) = self.string(&item, EXAMPLE) else { continue };
            match worth::read(line, &known) {
                Ok(Some(rate)) => {
                    rates.push(rate);
                    places.push(value.span().start);
                }
                Ok(None) => {}
                Err(problem) => {
                    let at = self.offset_in(&item, line, problem.at);
                    self.problems.push(Problem { at, ..problem });
                }
            }
        }
        if let Some(found) = contradiction(&rates) {
            let message = found.explain(&rates, &known);
            self.problem(places[found.index], message, "keep one rate for each pair of metrics");
        }
        rates
    }

    fn base(&mut self, field: &Field) -> Option<String> {
        let word = self.word(field)?;
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[{\\".contains(c);
        if word.starts_with(['-', '/']) || word.ends_with(['/', '.']) || word.contains("..") || word.contains(forbidden)
        {
            let message =
                phrase!("'{name}' cannot be the name of a {what}", name = echo(word), what = Phrase::from("branch"));
            self.problem_in(field, word, message, phrase!("write {example}", example = "base = \"main\""));
            return None;
        }
        Some(word.to_string())
    }

    fn keep_type(&mut self, field: &Field) -> Option<String> {
        let word = self.word(field)?;
        let (kind, scope) = match word.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            Some((kind, scope)) => (kind, Some(scope)),
            None => (word, None),
        };
        let fits = |part: &str| {
            part.len() <= 32
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        };
        if !fits(kind) || !scope.is_none_or(fits) {
            let message = phrase!("'{word}' cannot be the type of a commit subject", word = echo(word));
            self.problem_in(field, word, message, "write keep_type = \"perf\" or \"perf(build)\"");
            return None;
        }
        Some(word.to_string())
    }

    /// A path that stays within the work tree; a glob where `glob` says so.
    fn path(&mut self, field: &Field, glob: bool) -> Option<String> {
        let path = self.word(field)?;
        match stays_inside(path).and_then(|()| if glob { is_glob(path) } else { Ok(()) }) {
            Ok(()) => Some(path.to_string()),
            Err(reason) => {
                let message = phrase!("the path '{path}' {reason}", path = echo(path), reason = Phrase::from(reason));
                self.problem_in(field, path, message, "write a path relative to the repository's root");
                None
            }
        }
    }

    fn step_name(&mut self, field: &Field, steps: &[String]) -> Option<String> {
        let name = self.string(field, "\"build\"")?;
        if steps.iter().any(|step| step == name) {
            return Some(name.to_string());
        }
        let help = suggest(name, steps.iter().map(String::as_str), "step");
        self.problem_in(field, name, phrase!("unknown step '{name}'", name = echo(name)), help);
        None
    }

    /// A name must be fit for a trailer, a branch and a column.
    fn name(&mut self, field: &Field, what: &'static str) {
        let name = field.key;
        let safe = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(safe) {
            if name.len() > LONGEST_NAME {
                let message = phrase!(
                    "the name '{name}' is longer than {most} characters",
                    name = echo(name),
                    most = LONGEST_NAME
                );
                self.problem(field.at.start, message, "choose a shorter name");
            }
            return;
        }
        let slug: String = name.chars().map(|c| if safe(c) { c } else { '_' }).take(LONGEST_NAME).collect();
        let slug = slug.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let help = match slug {
            "" => "a name starts with a letter or a digit and goes on with letters, digits, '_', '-' and '.'".into(),
            slug => phrase!("write '{slug}'", slug),
        };
        self.problem(
            field.at.start,
            phrase!("'{name}' cannot be the name of a {what}", name = echo(name), what = Phrase::from(what)),
            help,
        );
    }

    fn required_command(&mut self, table: &Table) -> Option<Command> {
        match table.field("run") {
            Some(field) => self.command(field),
            None => {
                if table.fields.iter().all(|f| super::nearest(f.key, ["run"]).is_none()) {
                    let message = phrase!("{place} has no 'run'", place = &table.place);
                    self.problem(table.at, message, "add: run = \"make\"");
                }
                None
            }
        }
    }

    fn command(&mut self, field: &Field) -> Option<Command> {
        const EXAMPLE: &str = "\"make build\" or [\"make\", \"build\"]";
        let words = match field.value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.problem(
                    field.value.span().start,
                    phrase!("'{key}' is empty", key = echo(field.key)),
                    "write a command",
                );
                return None;
            }
            DeValue::String(text) => {
                return self.no_nul(field.value.span().start, text).then(|| Command::Shell(text.to_string()));
            }
            DeValue::Array(items) => items,
            _ => {
                self.problems.push(wrong_type(field, "a command", EXAMPLE));
                return None;
            }
        };
        if words.is_empty() {
            let message = phrase!("'{key}' is an empty list", key = echo(field.key));
            self.problem(
                field.value.span().start,
                message,
                phrase!(
                    "write {example}",
                    example = phrase!("{key} = \"make build\" or [\"make\", \"build\"]", key = echo(field.key))
                ),
            );
            return None;
        }
        let mut command = Vec::new();
        for (i, word) in words.iter().enumerate() {
            let at = word.span().start;
            let Some(text) = word.get_ref().as_str() else {
                let message = phrase!(
                    "a word of '{key}' is {kind}, not a string",
                    key = echo(field.key),
                    kind = Phrase::from(article(word.get_ref()))
                );
                self.problem(at, message, "put every word of the command in quotes");
                return None;
            };
            if i == 0 && text.trim().is_empty() {
                self.problem(at, phrase!("the program of '{key}' is empty", key = echo(field.key)), "name a program");
                return None;
            }
            if !self.no_nul(at, text) {
                return None;
            }
            command.push(text.to_string());
        }
        Some(Command::Direct(command))
    }

    fn no_nul(&mut self, at: usize, text: &str) -> bool {
        if text.contains('\0') {
            self.problem(at, "a command cannot contain the character \\u0000", "remove it");
        }
        !text.contains('\0')
    }

    fn timeout(&mut self, field: &Field) -> Option<Duration> {
        let text = match field.value.get_ref() {
            DeValue::Integer(n) => n.to_string(),
            DeValue::Float(n) => n.to_string(),
            _ => self.string(field, "\"30m\"")?.to_string(),
        };
        match timeout(&text) {
            Ok(duration) => Some(duration),
            Err(problem) => {
                let at = self.offset_in(field, &text, problem.at);
                self.problems.push(Problem { at, ..problem });
                None
            }
        }
    }

    fn choice<T: Copy>(&mut self, field: &Field, what: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let word = self.string(field, &format!("\"{}\"", choices[0].0))?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(*value);
        }
        let help = suggest(word, choices.iter().map(|(name, _)| *name), what);
        self.problem_in(
            field,
            word,
            phrase!("unknown {what} '{word}'", what = Phrase::from(what), word = echo(word)),
            help,
        );
        None
    }

    /// A string that is not blank and holds no control character.
    fn word<'t>(&mut self, field: &Field<'t, '_>) -> Option<&'t str> {
        let text = self.string(field, "\"…\"")?;
        if text.trim().is_empty() {
            self.problem(
                field.value.span().start,
                phrase!("'{key}' is empty", key = field.key),
                "write a value or remove the key",
            );
            return None;
        }
        if text.chars().any(char::is_control) {
            let message = phrase!("'{key}' holds a control character: '{text}'", key = field.key, text = echo(text));
            self.problem(field.value.span().start, message, "remove it");
            return None;
        }
        Some(text)
    }

    fn string<'t>(&mut self, field: &Field<'t, '_>, example: &str) -> Option<&'t str> {
        let text = field.value.get_ref().as_str();
        if text.is_none() {
            self.problems.push(wrong_type(field, "a string", example));
        }
        text
    }

    fn sub_table<'t, 'i>(&mut self, root: &Table<'t, 'i>, key: &str) -> Option<Table<'t, 'i>> {
        let field = root.field(key)?;
        self.table(field, format!("[{key}]"))
    }

    fn table<'t, 'i>(&mut self, field: &Field<'t, 'i>, place: String) -> Option<Table<'t, 'i>> {
        match field.value.get_ref() {
            DeValue::Table(table) => Some(Table::new(place, field.at.start, table)),
            other => {
                let message = phrase!(
                    "'{key}' is {found}, not a table",
                    key = echo(field.key),
                    found = Phrase::from(article(other))
                );
                self.problem(field.at.start, message, phrase!("write it as {place}", place = place.clone()));
                None
            }
        }
    }

    fn known_keys(&mut self, table: &Table, known: &[&str]) {
        for field in table.fields.iter().filter(|f| !known.contains(&f.key)) {
            let place = if table.place.starts_with('[') { format!(" in {}", table.place) } else { String::new() };
            let help = suggest(field.key, known.iter().copied(), "key");
            self.problem(field.at.start, phrase!("unknown key '{key}'{place}", key = echo(field.key), place), help);
        }
    }

    fn problem(&mut self, at: usize, message: impl Into<Phrase>, help: impl Into<Phrase>) {
        self.problems.push(Problem::new(at, message, help));
    }

    /// A problem with the content of a string.
    fn problem_in(&mut self, field: &Field, content: &str, message: impl Into<Phrase>, help: impl Into<Phrase>) {
        let at = self.offset_in(field, content, 0);
        self.problem(at, message, help);
    }

    /// Where the byte at `offset` of a string's content stands in the file: exact when the string is written on one
    /// line and without escapes, else the start of the value.
    fn offset_in(&self, field: &Field, content: &str, offset: usize) -> usize {
        let span = field.value.span();
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quoted = raw.len() == content.len() + 2 && raw.get(1..raw.len() - 1) == Some(content);
        span.start + if quoted { 1 + offset } else { 0 }
    }
}

fn wrong_type(field: &Field, expected: &str, example: &str) -> Problem {
    wrong_type_text(field, expected, Phrase::verbatim(format!("{} = {example}", echo(field.key))))
}

fn wrong_type_text(field: &Field, expected: impl Into<Phrase>, example: impl Into<Phrase>) -> Problem {
    let found = Phrase::from(article(field.value.get_ref()));
    let message =
        phrase!("'{key}' is {found}, not {expected}", key = echo(field.key), found, expected = expected.into());
    Problem::new(field.value.span().start, message, phrase!("write {example}", example = example.into()))
}

/// What a value is called that is of another kind than is wanted.
fn article(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a datetime",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// What the parser of TOML says of a broken text, as far as there are translations of it.
const TOML_SAYS: &[&str] = &[
    "unclosed table",
    "unclosed array table",
    "unclosed array",
    "unclosed inline table",
    "key with no value",
    "missing value for key",
    "missing value",
    "extra `=`",
    "extra comma in array",
    "missing comma between array elements",
    "missing comma between key-value pairs",
    "unexpected key or value",
    "unexpected content",
    "invalid key-value pair",
    "invalid basic string",
    "invalid literal string",
    "invalid unquoted key",
    "string values must be quoted",
    "duplicate key",
    "unexpected leading zero",
    "unexpected `=` in array",
];

/// The words of the parser of TOML: those that are known are translated, others stay as they are.
fn toml_words(message: &str) -> Phrase {
    let message = single_line(message);
    let told = |text: &str| match TOML_SAYS.iter().find(|known| **known == text) {
        Some(known) => Phrase::from(*known),
        None => phrase!("{text}", text),
    };
    match message.split_once(", expected ") {
        Some((what, "nothing")) => told(what),
        Some((what, expected)) => phrase!("{what}, expected {expected}", what = told(what), expected),
        None => told(&message),
    }
}

fn single_line(text: &str) -> String {
    text.lines().flat_map(str::chars).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a relative path, of which parts may be globs, stays in the folder that it starts from.
fn stays_inside(path: &str) -> Result<(), &'static str> {
    if path.starts_with('~') {
        return Err("starts with '~', which stands for no folder here");
    }
    let mut depth = 0usize;
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) if part == "**" => {}
            Component::Normal(part) if part.to_string_lossy().contains("..") && is_pattern(&part.to_string_lossy()) => {
                return Err("has '..' within a pattern");
            }
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1).ok_or("leaves the work tree")?,
            Component::RootDir | Component::Prefix(_) => return Err("is absolute"),
        }
    }
    Ok(())
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

fn is_glob(path: &str) -> Result<(), &'static str> {
    match is_pattern(path).then(|| globset::Glob::new(path)) {
        Some(Err(_)) => Err("is not a valid pattern"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn keys(schema: &Value) -> BTreeSet<&str> {
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn words(schema: &Value) -> Vec<&str> {
        schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    }

    #[test]
    fn the_schema_names_the_same_keys_and_words_as_the_reader() {
        let schema = crate::schema::document(crate::schema::CONFIG).unwrap();
        let definition = |name: &str| schema["definitions"][name].clone();
        for (name, schema, known) in [
            ("the file", schema.clone(), TOP_KEYS),
            ("step", definition("step"), STEP_KEYS),
            ("metric", definition("metric"), METRIC_KEYS),
            ("check", definition("check")["anyOf"][1].clone(), CHECK_KEYS),
            ("measure", schema["properties"]["measure"].clone(), MEASURE_KEYS),
            ("policy", schema["properties"]["policy"].clone(), POLICY_KEYS),
            ("adr", schema["properties"]["adr"].clone(), ADR_KEYS),
        ] {
            assert_eq!(keys(&schema), known.iter().copied().collect::<BTreeSet<_>>(), "{name}");
            assert_eq!(schema["additionalProperties"], false, "{name}");
        }
        let metric = definition("metric");
        let of = |key: &str| metric["properties"][key].clone();
        assert_eq!(words(&of("measure")), RESOURCES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        assert_eq!(words(&of("compress")), COMPRESSIONS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        assert_eq!(words(&of("better")), DIRECTIONS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        let revert = &schema["properties"]["policy"]["properties"]["revert"];
        assert_eq!(words(revert), REVERT_MODES.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    }
}
