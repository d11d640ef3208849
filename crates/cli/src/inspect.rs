//! `headwater inspect`: what a data directory holds, as tables or JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use headwater_storage::inspect::{
    ArchiveFileRow, ExtentRow, InspectError, Inspection, Position, SegmentRow, StreamRow, Summary, What,
};

use crate::failure::Failure;
use crate::output;
use crate::serve::refusal;
use crate::table::{Align, Table};

/// A part of the rows there are.
#[derive(Debug, Clone, Copy)]
struct PageOfRows {
    skip: usize,
    limit: usize,
}

/// Prints what was asked for.
pub(crate) fn inspect(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let dir = flags.get_one::<PathBuf>("data-dir").expect("the flag has a default");
    let page = PageOfRows { skip: number(flags, "skip"), limit: number(flags, "limit") };
    let found = headwater_storage::inspect::inspect(dir, &wanted(flags, page)).map_err(|error| match error {
        InspectError::Open(error) => refusal(dir, error),
        InspectError::Store(error) => {
            let advice = "run `headwater verify`, or restore a backup";
            Failure::Data { dir: dir.clone(), cause: error.to_string(), advice }
        }
        InspectError::NoSuchStream(_) => Failure::Other(format!("{error}; `headwater inspect streams` lists them")),
        InspectError::Path(error) => Failure::Usage(format!("{error}; give a path such as chat/42")),
    })?;
    let (found, has_more) = page.of(found);
    output::result(&if flags.get_flag("json") { json(&found)? } else { text(&found) })?;
    if has_more {
        output::note(format_args!("there are more rows; continue with --skip {}", page.skip + page.limit));
    }
    Ok(ExitCode::SUCCESS)
}

fn number(flags: &ArgMatches, name: &str) -> usize {
    let number = *flags.get_one::<u64>(name).expect("the flag has a default");
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn wanted(flags: &ArgMatches, page: PageOfRows) -> What {
    let text = |name: &str| flags.get_one::<String>(name).cloned().unwrap_or_default();
    match text("what").as_str() {
        // One more than is shown tells whether there are more.
        "streams" => {
            What::Streams { prefix: text("prefix"), limit: page.skip.saturating_add(page.limit).saturating_add(1) }
        }
        "segments" => What::Segments,
        "archive-files" => What::ArchiveFiles,
        "extents" => What::Extents { path: text("stream") },
        _ => What::Summary,
    }
}

impl PageOfRows {
    /// The rows of this page, and whether there are more behind it.
    fn of(self, found: Inspection) -> (Inspection, bool) {
        match found {
            Inspection::Summary(summary) => (Inspection::Summary(summary), false),
            Inspection::Streams(rows) => self.cut(rows, Inspection::Streams),
            Inspection::Segments(rows) => self.cut(rows, Inspection::Segments),
            Inspection::ArchiveFiles(rows) => self.cut(rows, Inspection::ArchiveFiles),
            Inspection::Extents(rows) => self.cut(rows, Inspection::Extents),
        }
    }

    fn cut<T>(self, rows: Vec<T>, wrap: impl Fn(Vec<T>) -> Inspection) -> (Inspection, bool) {
        let has_more = rows.len().saturating_sub(self.skip) > self.limit;
        (wrap(rows.into_iter().skip(self.skip).take(self.limit).collect()), has_more)
    }
}

fn json(found: &Inspection) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(found)
        .map_err(|error| Failure::Other(format!("cannot write the answer as JSON: {error}")))?;
    Ok(text + "\n")
}

fn text(found: &Inspection) -> String {
    match found {
        Inspection::Summary(summary) => summary_text(summary),
        Inspection::Streams(rows) => streams_table(rows).render(),
        Inspection::Segments(rows) => segments_table(rows).render(),
        Inspection::ArchiveFiles(rows) => archive_files_table(rows).render(),
        Inspection::Extents(rows) => extents_table(rows).render(),
    }
}

fn summary_text(summary: &Summary) -> String {
    let place = |Position { segment, offset }: Position| format!("segment {segment}, byte {offset}");
    let Summary { journal_segments, archive_files, replay_bytes, archive_live_bytes, documents, .. } = summary;
    let live = output::rounded_size(*archive_live_bytes);
    let facts = [
        ("format", format!("{}, catalog {}", summary.format_version, summary.catalog_version)),
        ("opened", format!("{} times", summary.openings)),
        ("streams", summary.streams.to_string()),
        ("documents", format!("{documents} with {}", output::rounded_size(summary.document_bytes))),
        ("journal", format!("{journal_segments} segments, {}", output::rounded_size(summary.journal_bytes))),
        (
            "archive",
            format!("{archive_files} files, {}, {live} of it live", output::rounded_size(summary.archive_bytes)),
        ),
        ("catalog", output::rounded_size(summary.catalog_bytes)),
        ("archived until", place(summary.archived)),
        ("checkpoint at", place(summary.checkpoint)),
        ("journal ends at", place(summary.journal_end)),
        ("to replay", format!("{}, {} records not archived", output::rounded_size(*replay_bytes), summary.records)),
    ];
    let mut out: String = facts.iter().map(|(name, fact)| format!("{name:<16} {fact}\n")).collect();
    out.extend(summary.damage.iter().map(|damage| format!("{:<16} {damage}\n", "DAMAGE")));
    out
}

fn streams_table(rows: &[StreamRow]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("STREAM", Left),
        ("ID", Right),
        ("TYPE", Left),
        ("EARLIEST", Right),
        ("TAIL", Right),
        ("STATE", Left),
        ("PRODUCERS", Right),
        ("FORKS", Right),
    ]);
    for row in rows {
        let state = match row {
            StreamRow { soft_deleted: true, .. } => "deleted",
            StreamRow { closed: true, .. } => "closed",
            _ => "open",
        };
        table.row([
            row.path.clone(),
            row.id.to_string(),
            row.content_type.clone(),
            row.earliest.to_string(),
            row.tail.to_string(),
            state.to_owned(),
            row.producers.to_string(),
            row.forks.to_string(),
        ]);
    }
    table
}

fn segments_table(rows: &[SegmentRow]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[("SEGMENT", Right), ("STATE", Left), ("SIZE", Right), ("FILE", Left)]);
    for SegmentRow { number, file, bytes, state } in rows {
        let state = format!("{state:?}").to_lowercase();
        table.row([number.to_string(), state, output::rounded_size(*bytes), file.clone()]);
    }
    table
}

fn archive_files_table(rows: &[ArchiveFileRow]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("ID", Right),
        ("TIER", Right),
        ("BYTES", Right),
        ("DATA", Right),
        ("LIVE", Right),
        ("RUNS", Right),
        ("FILE", Left),
    ]);
    for row in rows {
        let ArchiveFileRow { id, file, tier, bytes, data_bytes, live_bytes, runs } = row;
        let numbers = [*id, u64::from(*tier), *bytes, *data_bytes, *live_bytes, *runs];
        table.row(numbers.iter().map(u64::to_string).chain([file.clone()]));
    }
    table
}

fn extents_table(rows: &[ExtentRow]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[("START", Right), ("BYTES", Right), ("POSITION", Right), ("FILE", Left)]);
    for ExtentRow { start, len, file, position } in rows {
        let position = position.map_or_else(|| "-".to_owned(), |position| position.to_string());
        table.row([start.to_string(), len.to_string(), position, file.clone()]);
    }
    table
}
