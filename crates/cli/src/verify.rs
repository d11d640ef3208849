//! `headwater verify`: every checksum and index of a data directory, as a report.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use headwater_storage::verify::{Finding, Progress, Report, Severity, Stage};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::output;
use crate::serve::refusal;

/// Redraws of the progress bar per second.
const REDRAWS_PER_SECOND: u8 = 10;

/// Checks, reports, and fails with 1 when there is damage.
pub(crate) fn verify(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let dir = flags.get_one::<PathBuf>("data-dir").expect("the flag has a default");
    let report = check(dir)?;
    let shown = if flags.get_flag("json") { json(&report)? } else { text(dir, &report) };
    output::result(&shown)?;
    Ok(if report.worst == Some(Severity::Damage) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check(dir: &Path) -> Result<Report, Failure> {
    // Draws nothing unless standard error is a terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
    let report = headwater_storage::verify::verify(dir, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    report.map_err(|error| refusal(dir, error))
}

fn show(bar: &ProgressBar, Progress { stage, done, total }: Progress) {
    let (message, template) = match stage {
        Stage::Journal => ("journal", "{spinner} {msg} {elapsed}"),
        Stage::Catalog => ("catalog", "{spinner} {msg} {elapsed}"),
        Stage::Archive => ("archive", "{spinner} {msg} {wide_bar} {bytes} of {total_bytes} {eta}"),
        Stage::Streams => ("streams", "{spinner} {msg} {wide_bar} {pos} of {len} {eta}"),
    };
    if bar.message() != message {
        bar.set_message(message);
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well-formed"));
        bar.reset();
    }
    match total {
        0 => bar.unset_length(),
        total => bar.set_length(total),
    }
    bar.set_position(done);
}

fn json(report: &Report) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Failure::Other(format!("cannot write the report as JSON: {error}")))?;
    Ok(text + "\n")
}

fn text(dir: &Path, report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&paragraph(finding));
    }
    let Report { files, bytes, streams, records, findings_omitted, .. } = report;
    if *findings_omitted > 0 {
        line(&mut out, format_args!("… and {findings_omitted} more findings\n"));
    }
    let (dir, size) = (dir.display(), output::rounded_size(*bytes));
    line(&mut out, format_args!("{dir}: {files} files, {size}, {records} journal records, {streams} streams"));
    line(&mut out, format_args!("{}", verdict(report.worst)));
    out
}

fn verdict(worst: Option<Severity>) -> &'static str {
    match worst {
        None => "healthy: every checksum and index holds",
        Some(Severity::Note) => "healthy: the next start of the server tidies up what is noted above",
        Some(Severity::Warning) => "no stream lost a byte, but see the warnings above",
        Some(Severity::Damage) => "DAMAGED: see above; restore a backup, or copy what is still readable",
    }
}

fn paragraph(finding: &Finding) -> String {
    let Finding { severity, file, position, stream, what, consequence } = finding;
    let mut out = match severity {
        Severity::Note => "note     ",
        Severity::Warning => "warning  ",
        Severity::Damage => "DAMAGE   ",
    }
    .to_owned();
    out.push_str(file);
    if let Some(position) = position {
        write!(out, " bytes {}..{}", position.start, position.end).expect("writing to a string cannot fail");
    }
    if let Some(stream) = stream {
        write!(out, " of stream {stream}").expect("writing to a string cannot fail");
    }
    for text in [what, consequence].into_iter().filter(|text| !text.is_empty()) {
        write!(out, "\n         {text}").expect("writing to a string cannot fail");
    }
    out + "\n\n"
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a string cannot fail");
}
