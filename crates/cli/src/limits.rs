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
/// How much faster the demo can be played.
pub(crate) const DEMO_SPEED_MAX: f64 = 1_000.0;

/// Times a command asks a server that does not answer.
pub(crate) const REMOTE_ATTEMPTS_MAX: u32 = 3;
/// Before it asks for the second time.
pub(crate) const REMOTE_RETRY_INITIAL: Duration = Duration::from_millis(200);
/// Factor from one pause to the next.
pub(crate) const REMOTE_RETRY_FACTOR: f64 = 2.0;
/// Longest pause. Commands that follow ask for as long as it takes.
pub(crate) const REMOTE_RETRY_CAP: Duration = Duration::from_secs(10);
/// Bytes of a file of headers.
pub(crate) const FLAG_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of one message that `append` takes from a line, a JSON value or an argument.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes that `append --bytes` reads at once; each piece is a message.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
/// Unacknowledged time after which `append` says that it is still trying.
pub(crate) const APPEND_SILENCE: Duration = Duration::from_secs(5);
/// Messages before the tail that `tail -n` goes back at most; they are held in memory.
pub(crate) const TAIL_MESSAGES_MAX: u64 = 100_000;
/// Streams that `ls` asks for at once: as many as a server gives.
pub(crate) const LISTING_PAGE: u32 = 1_000;
/// Characters of a value that the view of a session shows on a line.
pub(crate) const VIEW_SUMMARY_CHARACTERS: usize = 100;
/// Bytes that the view holds back of agents that speak while another one does.
pub(crate) const VIEW_HELD_BYTES: usize = 64 * 1024;
/// Bytes of terminal text without a line end after which the view ends the line.
pub(crate) const VIEW_TERMINAL_LINE_BYTES: usize = 4 * 1024;
/// Silence after which the view shows what it held back.
pub(crate) const VIEW_PAUSE: Duration = Duration::from_millis(750);
/// Sessions that `session ls` prints unless it is asked for more, as its flag takes them.
pub(crate) const SESSIONS_LISTED: &str = "50";
/// Sessions asked for at once: as many as a server gives.
pub(crate) const SESSIONS_PAGE: usize = 100;
/// Events of history asked for at once: as many as a server gives.
pub(crate) const HISTORY_PAGE: usize = 1_000;
/// How much faster a session can be played.
pub(crate) const REPLAY_SPEED_MAX: f64 = 1_000.0;
/// How often a command that follows looks whether somebody reads what it prints.
pub(crate) const OUTPUT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Window of a program that runs without a terminal: columns and rows.
pub(crate) const RUN_SIZE: (u16, u16) = (80, 24);
/// Bytes that are read of a program at once.
pub(crate) const RUN_READ_BYTES: usize = 16 * 1024;
/// Reads that may wait to be recorded; then the program waits.
pub(crate) const RUN_READS: usize = 64;
/// Bytes of one recorded piece: with every byte escaped it still fits an event of 64 KiB.
pub(crate) const RUN_PIECE_BYTES: usize = 8 * 1024;
/// What is printed within this time is recorded together.
pub(crate) const RUN_PIECE_INTERVAL: Duration = Duration::from_millis(20);
/// Memory for what the server has not taken, as its flag takes it; then the program waits.
pub(crate) const RUN_BUFFER: &str = "64MiB";
/// Events that wait for the server at most.
pub(crate) const RUN_BUFFER_EVENTS: usize = 1_000_000;
/// How long the output of a program that has ended is waited for: something that it left behind may hold it open.
pub(crate) const RUN_EXIT_WAIT: Duration = Duration::from_secs(2);
/// Time after which it is told that the end waits for the server.
pub(crate) const RUN_SILENCE: Duration = Duration::from_secs(2);
/// Bytes of a line of structured output; longer ones are cut.
pub(crate) const RUN_LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a tool's input or output, as JSON; larger ones are cut.
pub(crate) const RUN_VALUE_BYTES_MAX: usize = 48 * 1024;
/// Characters that are kept of what is cut.
pub(crate) const RUN_VALUE_SHOWN: usize = 4_000;

/// Seconds of each measurement of `bench`, unless said otherwise.
pub(crate) const BENCH_SECONDS: &str = "5";
/// From a tenth of a second to an hour.
pub(crate) const BENCH_SECONDS_RANGE: std::ops::RangeInclusive<f64> = 0.1..=3_600.0;
/// Before a measurement begins, the load runs for so long, but at most for a quarter of the measurement.
pub(crate) const BENCH_WARM_UP: Duration = Duration::from_secs(1);
/// Connections, subscribers or readers of one measurement.
pub(crate) const BENCH_CONNECTIONS_MAX: u64 = 100_000;
/// Requests in flight on one connection.
pub(crate) const BENCH_IN_FLIGHT_MAX: u64 = 1_000;
/// Streams that one measurement makes.
pub(crate) const BENCH_STREAMS_MAX: u64 = 1_000_000;
/// JSON messages of one append.
pub(crate) const BENCH_BATCH_MAX: u64 = 10_000;
/// Bytes of one message.
pub(crate) const BENCH_BYTES_MAX: u64 = 16 << 20;
/// Bytes of the stream that is caught up with.
pub(crate) const BENCH_SIZE_MAX: u64 = 64 << 30;
/// Messages per second whose delivery is measured: slow enough that each is delivered alone.
pub(crate) const BENCH_DELIVERY_RATE: u32 = 200;
/// Messages per second to many subscribers.
pub(crate) const BENCH_FAN_OUT_RATE: u32 = 20;
/// How often the display of a measurement is brought up to date.
pub(crate) const BENCH_DISPLAY_INTERVAL: Duration = Duration::from_millis(100);
