//! One thing to measure: the streams it needs, the load it is, and what its figures are called.

use std::io;
use std::rc::Rc;

use headwater_load::{
    AppendLoad, ClosedLoop, Content, Delivery, Gauge, LIVE_CONTENT_TYPE, Mode, Payload, Producers, Site, Stop, Unit,
    Window, create_streams, fill_stream, read_for, read_to_tail,
};
use serde_json::{Value, json};

use crate::limits::{BENCH_DELIVERY_RATE, BENCH_FAN_OUT_RATE};
use crate::output::rounded_size;

#[derive(Debug, Clone, Copy)]
pub(super) enum Measurement {
    Append(AppendLoad),
    Delivery { mode: Mode, bytes: usize },
    FanOut { subscribers: usize, bytes: usize },
    CatchUp { bytes: u64, readers: usize },
}

impl Measurement {
    /// What it is asked for by.
    pub(super) fn of(&self) -> &'static str {
        match self {
            Self::Append(_) => "append",
            Self::Delivery { .. } => "delivery",
            Self::FanOut { .. } => "fan-out",
            Self::CatchUp { .. } => "catch-up",
        }
    }

    /// Its own name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Delivery { mode: Mode::Sse, .. } => "delivery-sse",
            Self::Delivery { mode: Mode::LongPoll, .. } => "delivery-long-poll",
            Self::Append(_) | Self::FanOut { .. } | Self::CatchUp { .. } => self.of(),
        }
    }

    /// The load, for people.
    pub(super) fn load(&self) -> String {
        match self {
            Self::Append(AppendLoad { connections, in_flight, streams, payload, producers }) => {
                let message = match payload {
                    Payload::Bytes(bytes) => format!("{bytes} B"),
                    Payload::Json { messages, bytes } => format!("{messages} × {bytes} B of JSON"),
                };
                let producers = if *producers == Producers::Idempotent { ", producers" } else { "" };
                format!("{connections} conn × {in_flight}, {streams} streams, {message}{producers}")
            }
            Self::Delivery { bytes, .. } => format!("{BENCH_DELIVERY_RATE}/s, {bytes} B"),
            Self::FanOut { subscribers, bytes } => {
                format!("{BENCH_FAN_OUT_RATE}/s, {bytes} B, {subscribers} SSE subscribers")
            }
            Self::CatchUp { bytes, readers } => format!("{}, {readers} readers", rounded_size(*bytes)),
        }
    }

    /// The load, for programs.
    pub(super) fn parameters(&self) -> Value {
        match self {
            Self::Append(AppendLoad { connections, in_flight, streams, payload, producers }) => {
                let (messages, bytes, format) = match *payload {
                    Payload::Bytes(bytes) => (1, bytes, "bytes"),
                    Payload::Json { messages, bytes } => (messages, bytes, "json"),
                };
                json!({
                    "connections": connections, "inFlight": in_flight, "streams": streams, "format": format,
                    "messages": messages, "bytes": bytes, "producers": *producers == Producers::Idempotent,
                })
            }
            Self::Delivery { bytes, .. } => json!({ "messagesPerSecond": BENCH_DELIVERY_RATE, "bytes": bytes }),
            Self::FanOut { subscribers, bytes } => {
                json!({ "messagesPerSecond": BENCH_FAN_OUT_RATE, "bytes": bytes, "subscribers": subscribers })
            }
            Self::CatchUp { bytes, readers } => json!({ "size": bytes, "readers": readers }),
        }
    }

    /// How its rate is written, and what it counts for programs.
    pub(super) fn rate_unit(&self) -> (Unit, &'static str) {
        match self {
            Self::Append(_) => (Unit::PerSecond, "appends/s"),
            Self::Delivery { .. } | Self::FanOut { .. } => (Unit::PerSecond, "deliveries/s"),
            Self::CatchUp { .. } => (Unit::BytesPerSecond, "bytes/s"),
        }
    }

    /// So far, in that unit.
    pub(super) fn rate(&self, gauge: &Gauge) -> f64 {
        let done = match self {
            Self::CatchUp { .. } => gauge.bytes(),
            Self::Append(_) | Self::Delivery { .. } | Self::FanOut { .. } => gauge.latencies().count(),
        };
        let seconds = gauge.recorded_for().as_secs_f64();
        if seconds > 0.0 { done as f64 / seconds } else { 0.0 }
    }

    /// How many streams it makes: those numbered below this.
    pub(super) fn streams(&self) -> usize {
        match self {
            Self::Append(load) => load.streams,
            Self::Delivery { .. } | Self::FanOut { .. } | Self::CatchUp { .. } => 1,
        }
    }

    /// Makes the streams. When it is stopped, it returns early, and nothing appears later.
    pub(super) async fn prepare(&self, site: &Site, stop: &Stop) -> io::Result<()> {
        match self {
            Self::Append(load) => create_streams(site, load.streams, load.payload.content_type(), b"", stop).await,
            Self::Delivery { .. } | Self::FanOut { .. } => create_streams(site, 1, LIVE_CONTENT_TYPE, b"", stop).await,
            Self::CatchUp { bytes, .. } => fill_stream(site, &site.stream(0), *bytes, Content::Binary, stop).await,
        }
    }

    /// Runs the load. What it measures is in the gauge.
    pub(super) async fn run(&self, site: &Site, window: Window, gauge: &Rc<Gauge>) -> io::Result<()> {
        match *self {
            Self::Append(load) => {
                let run = ClosedLoop { in_flight: load.in_flight, window };
                run.drive(site, load.lanes(site), gauge, || Ok(())).await.map(drop)
            }
            Self::Delivery { mode, bytes } => {
                let run = Delivery { mode, readers: 1, rate: BENCH_DELIVERY_RATE, bytes, window };
                run.run(site, gauge, || Ok(())).await.map(drop)
            }
            Self::FanOut { subscribers, bytes } => {
                let run = Delivery { mode: Mode::Sse, readers: subscribers, rate: BENCH_FAN_OUT_RATE, bytes, window };
                run.run(site, gauge, || Ok(())).await.map(drop)
            }
            Self::CatchUp { readers, .. } => {
                read_to_tail(site, &site.stream(0), gauge).await?;
                read_for(site, &site.stream(0), readers, window.measure, gauge).await;
                Ok(())
            }
        }
    }
}
