//! Named bounds of the command line's output.

/// Rows that `inspect` prints unless it is asked for more, as its flag takes them.
pub(crate) const INSPECT_ROWS: &str = "100";
/// Rows that `inspect` prints at most in one run; `--skip` continues.
pub(crate) const INSPECT_ROWS_MAX: u64 = 100_000;
