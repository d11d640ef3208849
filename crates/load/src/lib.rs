//! Load for any Durable Streams server, from outside: appends, live delivery, fan-out and catch-up over plain HTTP/1.1.
//!
//! All load comes from one thread (run it in a [`LocalSet`](tokio::task::LocalSet)), so that on a small machine the server
//! keeps most of the cores. A request that fails is counted in the [`Gauge`] and the load goes on, as clients would; only
//! what is needed to begin at all ends with an error. It knows the wire protocol and nothing of any server's code, and
//! neither what the figures are compared with nor how they are shown.

mod append;
mod catch_up;
mod closed_loop;
mod delivery;
mod gauge;
pub mod http;
mod latency;
mod limits;
mod open_files;
mod open_loop;
mod site;
mod stamp;
mod streams;
mod subscription;
mod unit;
mod window;

pub use append::{AppendLoad, Payload, Producers, Render, Requests};
pub use catch_up::{read_for, read_to_tail};
pub use closed_loop::{ClosedLoop, Lanes};
pub use delivery::{Delivery, Mode};
pub use gauge::Gauge;
pub use latency::Latencies;
pub use open_files::raise_open_files;
pub use open_loop::OpenLoop;
pub use site::{Site, UrlError};
pub use stamp::{LIVE_CONTENT_TYPE, STAMP_BYTES, STAMP_RANGE, Scanner, stamp_text};
pub use streams::{Content, Stop, create_streams, delete_streams, fill_stream, pipeline};
pub use subscription::Subscription;
pub use unit::{Unit, three};
pub use window::{Outcome, Window};
