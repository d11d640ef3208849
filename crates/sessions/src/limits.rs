//! Every bound of a session, with its unit in the name.

/// Largest event, in bytes of its `data` without insignificant white space.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting inside an event: stored messages stay readable for parsers that stop at 128 levels.
pub const EVENT_DEPTH_MAX: usize = 100;
/// Most events one request may hold.
pub const EVENTS_PER_REQUEST_MAX: usize = 1_000;
/// Longest id of an event, a user, an agent, a task or a project, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Longest session id, in bytes.
pub const SESSION_ID_BYTES_MAX: usize = 128;
/// Longest transaction id, in bytes.
pub const TXID_BYTES_MAX: usize = 128;
/// Longest name of a tool or a person, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// Longest title of a session, in bytes.
pub const TITLE_BYTES_MAX: usize = 512;
/// Longest search text, in bytes.
pub const SEARCH_BYTES_MAX: usize = 512;
/// Largest whole number: 2^53 − 1, what every JavaScript client can hold.
pub const WHOLE_NUMBER_MAX: u64 = (1 << 53) - 1;
/// Latest timestamp, in Unix milliseconds: the last one that RFC 3339 can write.
pub const TIMESTAMP_MS_MAX: u64 = 253_402_207_200_000;
/// Ids of chunks a session remembers, newest first to stay: a chunk sent again is recognised while so many newer ones
/// have not arrived. Chunks are merged in memory, so that their ids would not be known otherwise.
pub const CHUNK_IDS_REMEMBERED_MAX: usize = 16_384;
/// Folded state of one session, in bytes; events that would grow it further are refused.
pub const STATE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a row is counted for beyond its text.
pub const ROW_OVERHEAD_BYTES: usize = 128;
/// Silence after which a user is no longer present, in milliseconds.
pub const PRESENCE_TTL_MS: u64 = 30_000;
/// Users who may be present in one session.
pub const PRESENT_USERS_MAX: usize = 1_000;
/// Sessions on one page of a list.
pub const LIST_LIMIT_MAX: usize = 100;
/// Sessions on a page unless told otherwise.
pub const LIST_LIMIT_DEFAULT: usize = 20;
/// Events on a page of history, and messages on a page of a raw read.
pub const HISTORY_LIMIT_MAX: usize = 1_000;
/// Stored bytes one page of history looks through; the cursor lets the client go on.
pub const HISTORY_SCAN_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of events on one page; the first event always fits.
pub const HISTORY_PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes an export gathers before it hands them on.
pub const EXPORT_CHUNK_BYTES: usize = 64 * 1024;
/// Text of one block of a transcript, in bytes, that is held back for what belongs to it.
pub const TRANSCRIPT_BLOCK_BYTES_MAX: usize = 64 * 1024;
/// Agents whose text a transcript holds back at the same time.
pub const TRANSCRIPT_SPEAKERS_MAX: usize = 64;
/// Who is present is looked for in the last bytes of the companion stream, at first in so many, …
pub const PRESENCE_LOOK_BYTES: u64 = 64 * 1024;
/// … then in more, up to so many.
pub const PRESENCE_LOOK_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long a reader waits before it looks for a companion stream that went away, in milliseconds.
pub const PRESENCE_PAUSE_MS: u64 = 1_000;
/// How long events are kept unless told otherwise, in milliseconds: 30 days.
pub const RETENTION_MS_DEFAULT: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Shortest retention, in milliseconds: a minute.
pub const RETENTION_MS_MIN: u64 = 60_000;
/// Longest retention, in milliseconds: a hundred years.
pub const RETENTION_MS_MAX: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;
