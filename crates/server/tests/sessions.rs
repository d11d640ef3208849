//! Agent sessions over HTTP: the registry, events, producers, agent steps, presence, and the streams behind them. Names begin
//! with the requirement they hold.

#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

#[path = "sessions/api.rs"]
mod api;
#[path = "sessions/envelope.rs"]
mod envelope;
#[path = "sessions/events.rs"]
mod events;
#[path = "sessions/openapi.rs"]
mod openapi;
#[path = "sessions/presence.rs"]
mod presence;
#[path = "sessions/producers.rs"]
mod producers;
#[path = "sessions/registry.rs"]
mod registry;
#[path = "sessions/search.rs"]
mod search;
#[path = "sessions/steps.rs"]
mod steps;
#[path = "sessions/streams.rs"]
mod streams;
mod support;
