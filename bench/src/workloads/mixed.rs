//! Everything at once: appends, subscribers and catch-up readers on one server.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use headwater_load::{
    AppendLoad, Content, Delivery, Gauge, LIVE_CONTENT_TYPE, Mode, Payload, Producers, Site, Stop, Unit, Window,
    create_streams, fill_stream, read_to_tail,
};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::metric::Metric;

use super::Trial;
use super::append::measure;
use super::delivery::MESSAGE_BYTES;
use super::outcome::quantiles;

const APPEND_STREAMS: usize = 100;
const HISTORY_BYTES: u64 = 64 << 20;
const SUBSCRIBERS: usize = 100;
const MESSAGES_PER_SECOND: u32 = 20;
const CATCH_UP_READERS: usize = 2;
/// Each catch-up reader starts over this often.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(trial: &mut Trial<'_>) -> io::Result<Vec<Metric>> {
    let server = trial.start().await?;
    let (payload, producers) = (Payload::Bytes(256), Producers::Idempotent);
    let load = AppendLoad { connections: 32, in_flight: 1, streams: APPEND_STREAMS, payload, producers };
    let (site, none) = (server.site(), Stop::default());
    let (live, history) = (site.below("-live"), site.below("-history"));
    create_streams(&site, APPEND_STREAMS, payload.content_type(), b"", &none).await?;
    create_streams(&live, 1, LIVE_CONTENT_TYPE, b"", &none).await?;
    fill_stream(&history, &history.stream(0), HISTORY_BYTES, Content::Binary, &none).await?;
    let mut background = JoinSet::new();
    for _ in 0..CATCH_UP_READERS {
        background.spawn_local(read_again_and_again(history.clone()));
    }
    let delivered = Rc::new(Gauge::default());
    let window = Window { warm_up: Duration::ZERO, measure: trial.scale.warm_up + trial.scale.measure };
    let (rate, bytes) = (MESSAGES_PER_SECOND, MESSAGE_BYTES);
    let delivery = Delivery { mode: Mode::Sse, readers: SUBSCRIBERS, rate, bytes, window };
    let (outcome, followed) =
        tokio::join!(measure(&server, &load, trial.scale), delivery.run(&live, &delivered, || Ok(())));
    let outcome = outcome?;
    followed?;
    delivered.check()?;
    while let Some(ended) = background.try_join_next() {
        ended.map_err(io::Error::other)??;
    }
    let appends = outcome.acknowledged as f64 / outcome.elapsed.as_secs_f64();
    let [_, append_p99] = quantiles(&outcome.latencies, None, None);
    let [_, delivery_p99] = quantiles(delivered.latencies(), None, None);
    Ok(vec![
        Metric::new("appends", Unit::PerSecond, appends),
        Metric { name: "append p99", ..append_p99 },
        Metric { name: "delivery p99", ..delivery_p99 },
    ])
}

async fn read_again_and_again(history: Site) -> io::Result<()> {
    let mut starts = interval(CATCH_UP_EVERY);
    loop {
        starts.tick().await;
        read_to_tail(&history, &history.stream(0), &Gauge::default()).await?;
    }
}
