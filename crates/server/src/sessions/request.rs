//! What handlers take from a request: a session's id, a JSON body, query parameters. All refuse in sessions' own form.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::extract::{FromRequest, FromRequestParts, Path, RawPathParams, Request};
use bytes::Bytes;
use headwater_sessions::SessionId;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use url::form_urlencoded;

use super::Failure;
use crate::config::ServerConfig;
use crate::request;
