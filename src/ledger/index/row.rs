//! How a record lies in the index: a row of fields in binary form, and the rest of the event as JSON.

use super::Fault;
use crate::config::{Better, Matters, RevertMode};
use crate::git::{Oid, Person};
use crate::ledger::event::{Event, Fact, KINDS, VERSION, Verdict};
use crate::policy::MetricComparison;
use crate::stats::Word;
use crate::units::{Ratio, Unit};
use chrono::{DateTime, FixedOffset};
use ulid::Ulid;

/// What a list shows of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The record's id.
    pub id: Ulid,
    /// The blob that holds it.
    pub blob: Oid,
    /// When it happened.
    pub at: DateTime<FixedOffset>,
    /// Who did it.
    pub by: Person,
    /// The program that wrote it.
    pub tool: String,
    /// The experiment's id.
    pub experiment: Ulid,
    /// The experiment's name.
    pub name: String,
    /// `opened`, `measured`, `decided`, `abandoned` or `reopened`.
    pub kind: &'static str,
    /// The verdict of a decision.
    pub verdict: Option<Verdict>,
    /// How a revert landed.
    pub mode: Option<RevertMode>,
    /// The title of an opening; why it was decided or given up; of a measurement what it rechecks, or nothing.
    pub text: String,
    /// The rows of a measurement or of a decision.
    pub comparison: Vec<MetricComparison>,
}

/// What of an event is not in its row, without samples.
pub(super) fn lean(fact: &mut Fact) -> serde_json::Result<Vec<u8>> {
    match fact {
        Fact::Opened(opened) => serde_json::to_vec(opened),
        Fact::Measured(measured) => {
            measured.samples = Vec::new();
            serde_json::to_vec(measured)
        }
        Fact::Decided(decided) => serde_json::to_vec(decided),
        Fact::Abandoned { .. } => Ok(Vec::new()),
        Fact::Reopened(reopened) => serde_json::to_vec(reopened),
    }
}

/// An event put together again: as in the ledger, but without samples and without the fields of later versions.
pub(super) fn lean_event(row: Row, lean: &[u8]) -> Result<Event, Fault> {
    let fact = match row.kind {
        "abandoned" => Fact::Abandoned { because: row.text },
        kind => Fact::read(kind, lean).map_err(|_| Fault::Corrupt)?.0,
    };
    let Row { id, at, by, tool, experiment, name, .. } = row;
    Ok(Event { version: VERSION, id, at, by, tool, experiment, name, fact, extra: serde_json::Map::new() })
}

const WORDS: [Word; 4] = [Word::Improved, Word::Regressed, Word::Unchanged, Word::Inconclusive];
const MODES: [RevertMode; 3] = [RevertMode::Merge, RevertMode::InPlace, RevertMode::Archive];

/// The row of an event, its id first.
pub(super) fn encode_row(event: &Event, blob: &Oid) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend(event.id.0.to_be_bytes());
    text(&mut out, blob.as_str());
    out.extend(event.at.timestamp().to_be_bytes());
    out.extend(event.at.timestamp_subsec_nanos().to_be_bytes());
    out.extend(event.at.offset().local_minus_utc().to_be_bytes());
    text(&mut out, &event.by.name);
    text(&mut out, &event.by.email);
    text(&mut out, &event.tool);
    out.extend(event.experiment.0.to_be_bytes());
    text(&mut out, &event.name);
    out.push(position(&KINDS, &event.fact.kind()));
    let (verdict, mode, words, rows): (u8, u8, &str, &[MetricComparison]) = match &event.fact {
        Fact::Opened(opened) => (0, 0, &opened.title, &[]),
        Fact::Measured(measured) => {
            let after = measured.rechecks.as_ref().map_or("", |rechecks| rechecks.what.as_str());
            (0, 0, after, &measured.comparison)
        }
        Fact::Decided(decided) => (
            if decided.verdict == Verdict::Keep { 1 } else { 2 },
            decided.mode.map_or(0, |mode| 1 + position(&MODES, &mode)),
            &decided.because,
            &decided.comparison,
        ),
        Fact::Abandoned { because } => (0, 0, because, &[]),
        Fact::Reopened(reopened) => (0, 0, &reopened.because, &[]),
    };
    out.extend([verdict, mode]);
    text(&mut out, words);
    out.extend((rows.len() as u32).to_be_bytes());
    for row in rows {
        text(&mut out, &row.metric);
        text(&mut out, row.unit.symbol());
        out.push(u8::from(row.better == Better::Higher));
        match row.matters {
            Matters::Relative(Ratio(value)) => number(&mut out, 0, value),
            Matters::Absolute(value) => number(&mut out, 1, value),
        }
        out.extend(row.base.to_be_bytes());
        out.extend(row.candidate.to_be_bytes());
        optional(&mut out, row.relative);
        optional(&mut out, row.interval.map(|[low, _]| low));
        optional(&mut out, row.interval.map(|[_, high]| high));
        out.push(u8::from(row.exact));
        out.extend((row.rounds as u64).to_be_bytes());
        out.push(position(&WORDS, &row.word));
        optional(&mut out, row.limit);
        optional(&mut out, row.detectable);
        out.push(u8::from(row.rounds_needed.is_some()));
        out.extend((row.rounds_needed.unwrap_or(0) as u64).to_be_bytes());
    }
    out
}

fn position<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).unwrap_or(0) as u8
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text.as_bytes());
}

fn number(out: &mut Vec<u8>, tag: u8, value: f64) {
    out.push(tag);
    out.extend(value.to_be_bytes());
}

fn optional(out: &mut Vec<u8>, value: Option<f64>) {
    number(out, u8::from(value.is_some()), value.unwrap_or(0.0));
}

pub(super) fn row_id(row: &[u8]) -> Option<Ulid> {
    Reader(row).u128().map(Ulid)
}

/// Experiment, name and number of the kind of a row.
pub(super) fn brief(row: &[u8]) -> Option<(Ulid, String, u8)> {
    let mut r = Reader(row);
    r.u128()?;
    r.skip_text()?;
    r.take(8 + 4 + 4)?;
    for _author_and_tool in 0..3 {
        r.skip_text()?;
    }
    let (experiment, name, kind) = (Ulid(r.u128()?), r.text()?, r.u8()?);
    KINDS.get(usize::from(kind)).map(|_| (experiment, name, kind))
}

pub(super) fn decode_row(row: &[u8]) -> Option<Row> {
    let mut r = Reader(row);
    let id = Ulid(r.u128()?);
    let blob = Oid::parse(&r.text()?)?;
    let (seconds, nanos, offset) = (r.u64()? as i64, r.u32()?, r.u32()? as i32);
    let at = DateTime::from_timestamp(seconds, nanos)?.with_timezone(&FixedOffset::east_opt(offset)?);
    let by = Person { name: r.text()?, email: r.text()? };
    let tool = r.text()?;
    let experiment = Ulid(r.u128()?);
    let name = r.text()?;
    let kind = *KINDS.get(usize::from(r.u8()?))?;
    let verdict = match r.u8()? {
        0 => None,
        1 => Some(Verdict::Keep),
        _ => Some(Verdict::Revert),
    };
    let mode = match r.u8()? {
        0 => None,
        tag => Some(*MODES.get(usize::from(tag) - 1)?),
    };
    let text = r.text()?;
    let mut comparison = Vec::new();
    for _ in 0..r.u32()? {
        comparison.push(MetricComparison {
            metric: r.text()?,
            unit: Unit::from(r.text()?),
            better: if r.u8()? == 1 { Better::Higher } else { Better::Lower },
            matters: match (r.u8()?, r.f64()?) {
                (0, value) => Matters::Relative(Ratio(value)),
                (_, value) => Matters::Absolute(value),
            },
            base: r.f64()?,
            candidate: r.f64()?,
            relative: r.optional()?,
            interval: match (r.optional()?, r.optional()?) {
                (Some(low), Some(high)) => Some([low, high]),
                _ => None,
            },
            exact: r.u8()? == 1,
            rounds: r.u64()? as usize,
            word: *WORDS.get(usize::from(r.u8()?))?,
            limit: r.optional()?,
            detectable: r.optional()?,
            rounds_needed: match (r.u8()?, r.u64()?) {
                (0, _) => None,
                (_, rounds) => Some(rounds as usize),
            },
        });
    }
    Some(Row { id, blob, at, by, tool, experiment, name, kind, verdict, mode, text, comparison })
}

/// Reads fields from the front of some bytes; none when they end too soon.
pub(super) struct Reader<'b>(pub &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }
    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }
    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }
    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
    pub(super) fn u128(&mut self) -> Option<u128> {
        Some(u128::from_be_bytes(self.take(16)?.try_into().ok()?))
    }
    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
    fn optional(&mut self) -> Option<Option<f64>> {
        let (there, value) = (self.u8()? == 1, self.f64()?);
        Some(there.then_some(value))
    }
    fn skip_text(&mut self) -> Option<()> {
        let length = self.u32()? as usize;
        self.take(length).map(drop)
    }
    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        Some(std::str::from_utf8(self.take(length)?).ok()?.to_string())
    }
}
