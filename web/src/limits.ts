/** Every wait, retry, window and bound of the package, in one place. Times are milliseconds. */

/** Reconnection: 1, 2, 4, 8, 16, 30, 30 … seconds. */
export const RECONNECT_FIRST_MS = 1_000
export const RECONNECT_FACTOR = 2
export const RECONNECT_MAX_MS = 30_000

/** How long a connection outlives its last user, so that a remount finds it open. */
export const RELEASE_AFTER_MS = 250
/** How long a session that nobody uses keeps its rows, to go on from where it was. */
export const CACHED_FOR_MS = 5 * 60_000

/** Writes: attempts after the first, their distance, and the age at which an unanswered write is undone. */
export const WRITE_RETRIES = 3
export const WRITE_RETRY_MS = 1_000
export const WRITE_PENDING_MAX_MS = 60_000

/** Presence: a sign of life, and how long one counts. */
export const HEARTBEAT_MS = 10_000
export const PRESENT_FOR_MS = 30_000
/** Cursor updates are sent at most once in this time. */
export const CURSOR_THROTTLE_MS = 50

/** Inputs that the terminal remembers, newest first. */
export const INPUT_HISTORY_MAX = 50

/** A connection that says nothing for so long is taken for dead: servers end a response, and are asked again, sooner. */
export const SILENCE_MAX_MS = 120_000
