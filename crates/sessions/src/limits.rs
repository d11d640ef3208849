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

/// Agents whose streams one request may write to: each takes two steps of the engine's transaction.
pub const AGENTS_PER_REQUEST_MAX: usize = 120;
/// Sessions whose folded state is in memory at once, unless told otherwise.
pub const LOADED_SESSIONS_MAX: usize = 10_000;
/// Bytes of folded states in memory at once, unless told otherwise.
pub const LOADED_BYTES_MAX: usize = 512 * 1024 * 1024;
/// What one remembered chunk id takes in memory, in bytes.
pub const CHUNK_ID_MEMORY_BYTES: usize = 96;
/// Producers a loaded session knows to be up to date; the others' requests are decided one at a time.
pub const PRODUCERS_KNOWN_MAX: usize = 256;
/// How often a request is decided again because the stream had moved under it.
pub const DECISIONS_MAX: usize = 4;
/// A loaded session that nobody asked for during so long is given up, in milliseconds: ten minutes.
pub const SESSION_IDLE_MS: u64 = 10 * 60 * 1_000;
/// Bytes of a session's stream after its frozen state, at least, until the state is frozen anew.
pub const FREEZE_TAIL_BYTES: u64 = 1024 * 1024;
/// So many times its last frozen form the stream has to grow until the state is frozen anew.
pub const FREEZE_GROWTH: u64 = 2;
/// Bytes after the frozen state from which on a session that is given up is frozen first.
pub const FREEZE_PARTING_BYTES: u64 = 64 * 1024;
/// Bytes of one document that a frozen form is cut into.
pub const FROZEN_PART_BYTES: usize = 1024 * 1024;
/// Documents of a frozen form that are written in one step.
pub const FROZEN_PARTS_PER_STEP: usize = 4;
/// Bytes of the registry's stream after its frozen form, at least, until it is frozen anew.
pub const FREEZE_REGISTRY_BYTES: u64 = 1024 * 1024;
/// How often the service looks at the clock, in milliseconds.
pub const UPKEEP_INTERVAL_MS: u64 = 1_000;
/// Sessions in which somebody is present, or was lately.
pub const PRESENCE_SESSIONS_MAX: usize = 100_000;
/// How long a companion stream is kept after the last user went, in milliseconds: ten minutes.
pub const EMPTY_PRESENCE_MS: u64 = 10 * 60 * 1_000;
/// Bytes that the cleanup reads of one stream in one round.
pub const CLEANUP_BYTES: u64 = 4 * 1024 * 1024;
/// Streams that the cleanup looks at in one round.
pub const CLEANUP_STREAMS: usize = 64;
/// An event stays at most so much of its retention, as a fraction of it, after it has expired.
pub const CLEANUP_FRACTION: u64 = 256;
/// Longest time that an expired event stays, in milliseconds: an hour.
pub const CLEANUP_LAG_MS_MAX: u64 = 60 * 60 * 1_000;
/// Agents that are told with a session; its state has all of them.
pub const AGENTS_SHOWN_MAX: usize = 16;
/// Stored bytes of a snapshot in one chunk, about.
pub const SNAPSHOT_CHUNK_BYTES: usize = 64 * 1024;
/// A folded state's JSON in one piece, about, in bytes.
pub const FOLDED_CHUNK_BYTES: usize = 64 * 1024;
/// How long the row of a silent user may outlive [`PRESENCE_TTL_MS`], in milliseconds: the server looks at the clock more
/// often than that.
pub const PRESENCE_DELETION_LAG_MS: u64 = 30_000;
