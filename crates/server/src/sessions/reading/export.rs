//! A session as a file, made while the client takes it.

use axum::BoxError;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use headwater_sessions::{ExportFormat, Exporter, SessionId};
use headwater_streams::Store;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

use super::pieces::{self, Source};
use super::{Outcome, ending_at, parsed};
use crate::response::NO_STORE;
use crate::sessions::Api;
use crate::sessions::request::{Id, Params};

struct Export<S: Store> {
    session: SessionId,
    exporter: Exporter<S>,
}

impl<S: Store> Source for Export<S> {
    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        let piece = self.exporter.next().await?;
        if let Err(error) = &piece {
            tracing::warn!(session = %self.session, %error, "an export broke off");
        }
        Some(piece.map_err(BoxError::from))
    }
}

pub(super) async fn export<S: Store>(State(api): State<Api<S>>, Id(id): Id, params: Params) -> Outcome {
    let format = parsed(&params, "format", "must be json, ndjson, markdown, csv or asciicast")?;
    let format: ExportFormat = format.unwrap_or(ExportFormat::Json);
    let mut exporter = api.sessions.export(&id, format).await?;
    let end = exporter.end();
    // The first piece is made before the answer, so that what is wrong from the beginning is told with a status.
    let first = exporter.next().await.transpose()?;
    let attachment = format!("attachment; filename=\"{}\"", format.filename(&id));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (CONTENT_DISPOSITION, HeaderValue::try_from(attachment).expect("session ids are visible ASCII")),
        (CACHE_CONTROL, NO_STORE),
    ];
    let body = pieces::awaited(first, Export { session: id, exporter });
    Ok(ending_at(end, (headers, body).into_response()))
}
