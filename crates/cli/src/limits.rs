//! Named bounds and intervals of the command line.

use std::time::Duration;

/// Rows that `inspect` prints unless it is asked for more, as its flag takes them.
pub(crate) const INSPECT_ROWS: &str = "100";
/// Rows that `inspect` prints at most in one run; `--skip` continues.
pub(crate) const INSPECT_ROWS_MAX: u64 = 100_000;

/// Redraws of a progress bar per second.
pub(crate) const REDRAWS_PER_SECOND: u8 = 10;

/// Between two tokens of the demo.
pub(crate) const DEMO_TOKEN_INTERVAL: Duration = Duration::from_millis(55);
/// Between two positions of a moving cursor in the demo.
pub(crate) const DEMO_CURSOR_INTERVAL: Duration = Duration::from_millis(100);
/// Before somebody in the demo speaks, calls a tool or runs a command.
pub(crate) const DEMO_THINKING: Duration = Duration::from_millis(1_500);
/// How often a person in the demo says that they are there.
pub(crate) const DEMO_BEAT_INTERVAL: Duration = Duration::from_secs(10);
/// Lateness after which the demo goes on later and does not catch up.
pub(crate) const DEMO_LATENESS_MAX: Duration = Duration::from_millis(500);
/// How long the demo waits for one answer.
pub(crate) const DEMO_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the demo asks a server again that did not answer; doubles each time.
pub(crate) const DEMO_RETRY_DELAY: Duration = Duration::from_millis(250);
/// At most so long.
pub(crate) const DEMO_RETRY_DELAY_MAX: Duration = Duration::from_secs(5);
/// How much faster the demo can be played.
pub(crate) const DEMO_SPEED_MAX: f64 = 1_000.0;
