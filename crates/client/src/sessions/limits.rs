//! What the sessions half of this client waits for, keeps and tries at most.

use std::time::Duration;

/// Bytes of one answer, and of one live event. A live event is at most one row, an answer at most a folded session.
pub const ANSWER_BYTES_MAX: usize = 80 * 1024 * 1024;
/// How long a live connection may be silent before it is taken for half-dead: servers send a comment every 15 s.
pub const LIVE_IDLE_TIMEOUT: Duration = Duration::from_secs(40);
/// Times a session that has never been there is looked for.
pub const NOT_FOUND_ATTEMPTS_MAX: u32 = 4;
/// Between two looks for an agent that has not begun yet, at most.
pub const ABSENT_AGENT_PAUSE: Duration = Duration::from_secs(5);
/// How often changes are fetched while a proxy holds live connections back.
pub const POLL_PRESENCE_INTERVAL: Duration = Duration::from_secs(5);

/// Who has been silent for so long is present no more, by the server's rule.
pub const PRESENCE_WINDOW: Duration = Duration::from_secs(30);
/// Who is not told again for so long after the return of a connection has gone meanwhile.
pub const PRESENCE_SETTLE: Duration = Duration::from_secs(2);
/// Between two signs of life.
pub const PRESENCE_BEAT: Duration = Duration::from_secs(10);
/// Between two positions of a cursor.
pub const CURSOR_THROTTLE: Duration = Duration::from_millis(50);
/// For the answer to a sign of life: the next one is due soon.
pub const PRESENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// Times a write is tried again.
pub const WRITE_RETRIES: u32 = 3;
/// Between two attempts of a write.
pub const WRITE_RETRY_DELAY: Duration = Duration::from_millis(1000);
/// A write that nobody has acknowledged after so long is rolled back.
pub const WRITE_PENDING_MAX: Duration = Duration::from_secs(60);
/// Optimistic writes of a session under way.
pub const WRITES_MAX: usize = 1000;

/// Inputs that a terminal's history shows.
pub const INPUT_HISTORY_MAX: usize = 50;
/// Events that a slow reader of [`Session::events`](super::Session::events) may lag behind.
pub const EVENTS_LAG_MAX: usize = 1024;

/// Events that the reader of a [`SessionFeed`](super::SessionFeed) may lag behind, before its connection is given up and made
/// again where the reader is.
pub const FEED_EVENTS_MAX: usize = 4096;

/// Events in one request.
pub const REQUEST_EVENTS_MAX: usize = 1000;
/// Bytes of one event.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the events in one request of an outbox.
pub const OUTBOX_REQUEST_BYTES: usize = 1024 * 1024;
/// Bytes of events that an outbox holds while they wait.
pub const OUTBOX_BYTES: usize = 64 * 1024 * 1024;
/// Events that an outbox holds while they wait.
pub const OUTBOX_EVENTS: usize = 100_000;
