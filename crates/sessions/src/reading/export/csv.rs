//! Events as a table (RFC 4180).

use csv::{Terminator, WriterBuilder};

use crate::change::rfc3339;
use crate::reading::event::SessionEvent;

const HEAD: [&str; 7] = ["offset", "timestamp", "channel", "operation", "key", "txid", "data"];

pub(super) fn head(out: &mut Vec<u8>) {
    record(HEAD, out);
}

pub(super) fn event(event: &SessionEvent, out: &mut Vec<u8>) {
    let offset = event.offset.map(|offset| offset.to_string()).unwrap_or_default();
    let timestamp = event.at_ms.map(rfc3339).unwrap_or_default();
    let cells = [
        offset.as_str(),
        timestamp.as_str(),
        event.channel.as_str(),
        event.operation.as_str(),
        &event.key,
        event.txid.as_deref().unwrap_or_default(),
        event.data.as_ref().map_or("", |data| data.get()),
    ];
    record(cells.map(harmless).each_ref().map(AsRef::as_ref), out);
}

fn record(cells: [&str; 7], out: &mut Vec<u8>) {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(cells).expect("memory takes what is written");
    writer.flush().expect("memory takes what is written");
}

/// Keeps spreadsheets from running a cell as a formula.
fn harmless(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}").into() } else { cell.into() }
}
