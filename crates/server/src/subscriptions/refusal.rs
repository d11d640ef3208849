//! How subscription requests are refused: the body that the protocol fixes, `{"error":{"code","message"}}`, and its
//! status. What any request may meet (overload, a full disk) is answered like everywhere else.

use axum::response::{IntoResponse, Response};
use headwater_protocol::subscription::{ErrorBody, ErrorCode, InvalidBody, InvalidSubscription};
use headwater_streams::EngineError;
use headwater_streams::subscriptions::{AckError, ClaimError, SubscribeError, SubscriptionError};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::target::Refused;
use crate::problem::{Code, Problem};
use crate::router::problem;

/// A refusal on its way to the client.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In the words of the subscription API.
    Subscription(Box<ErrorBody>),
    /// In the words of the whole server.
    Server(Box<Problem>),
}

impl Refusal {
    pub(super) fn because(code: ErrorCode, reason: impl std::fmt::Display) -> Self {
        Self::Subscription(Box::new(ErrorBody::because(code, reason)))
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::Server(Box::new(Problem::new(Code::BodyTooLarge, format!("the limit of this body is {limit} bytes"))))
    }

    fn fenced() -> Self {
        Self::Subscription(Box::new(ErrorBody::new(ErrorCode::Fenced)))
    }
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::WebhookUrlRejected => StatusCode::BAD_REQUEST,
        ErrorCode::TokenInvalid | ErrorCode::TokenExpired => StatusCode::UNAUTHORIZED,
        ErrorCode::SubscriptionNotFound => StatusCode::NOT_FOUND,
        ErrorCode::SubscriptionAlreadyExists
        | ErrorCode::Fenced
        | ErrorCode::AlreadyClaimed
        | ErrorCode::NoPendingWork
        | ErrorCode::InvalidOffset => StatusCode::CONFLICT,
        ErrorCode::SubscriptionLimitReached => StatusCode::TOO_MANY_REQUESTS,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = match self {
            Self::Subscription(body) => body,
            Self::Server(refused) => return problem(*refused),
        };
        let status = status(body.error.code);
        let json = serde_json::to_vec(&body).expect("a refusal is plain JSON");
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (status, headers, json).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait = HeaderValue::from_static(crate::limits::RETRY_AFTER_SECONDS);
            response.headers_mut().insert(http::header::RETRY_AFTER, wait);
        }
        response
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Server(Box::new(error.into()))
    }
}

impl From<InvalidBody> for Refusal {
    fn from(error: InvalidBody) -> Self {
        Self::because(ErrorCode::InvalidRequest, error)
    }
}

impl From<InvalidSubscription> for Refusal {
    fn from(error: InvalidSubscription) -> Self {
        Self::because(ErrorCode::InvalidRequest, error)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::because(ErrorCode::WebhookUrlRejected, refused)
    }
}

impl From<SubscribeError> for Refusal {
    fn from(error: SubscribeError) -> Self {
        let code = match &error {
            SubscribeError::Differs => ErrorCode::SubscriptionAlreadyExists,
            SubscribeError::WakesItself => ErrorCode::InvalidRequest,
            SubscribeError::TooManySubscriptions(_) | SubscribeError::TooManyLinks(_) => {
                ErrorCode::SubscriptionLimitReached
            }
            SubscribeError::Engine(error) => return error.clone().into(),
        };
        Self::because(code, error)
    }
}

impl From<SubscriptionError> for Refusal {
    fn from(error: SubscriptionError) -> Self {
        let code = match &error {
            SubscriptionError::NotFound => ErrorCode::SubscriptionNotFound,
            SubscriptionError::WakesItself => ErrorCode::InvalidRequest,
            SubscriptionError::TooManyLinks(_) => ErrorCode::SubscriptionLimitReached,
            SubscriptionError::Engine(error) => return error.clone().into(),
        };
        Self::because(code, error)
    }
}

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NotPullWake => Self::because(ErrorCode::InvalidRequest, error),
            ClaimError::NoPendingWork => Self::because(ErrorCode::NoPendingWork, error),
            ClaimError::AlreadyClaimed { holder, generation } => {
                Self::Subscription(Box::new(ErrorBody::already_claimed(holder, generation)))
            }
            ClaimError::Subscription(error) => error.into(),
        }
    }
}

impl From<AckError> for Refusal {
    fn from(error: AckError) -> Self {
        match error {
            AckError::Fenced => Self::fenced(),
            AckError::WrongType | AckError::TooManyAcks(_) => Self::because(ErrorCode::InvalidRequest, error),
            AckError::Invalid(_)
            | AckError::NotLinked(_)
            | AckError::Backwards { .. }
            | AckError::BeyondTail { .. } => Self::because(ErrorCode::InvalidOffset, error),
            AckError::Subscription(error) => error.into(),
        }
    }
}
