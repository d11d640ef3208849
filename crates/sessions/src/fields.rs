//! What fields an object may have and what each must be, as tables that read like the documentation.

use std::borrow::Cow;

use crate::error::SessionError;
use crate::id::{AgentId, is_id};
use crate::json::{Json, Object, is_portable};
use crate::limits::{ID_BYTES_MAX, TIMESTAMP_MS_MAX, WHOLE_NUMBER_MAX};

/// One field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    kind: Kind,
}

/// Whether it must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// By the time a row is inserted.
    Required,
    /// Or not; `null` clears it.
    Optional,
    /// The server fills it when it is absent or `null`.
    Filled,
}

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// An id of a thing.
    Id,
    /// An id that is a segment of a stream's path, too.
    AgentId,
    /// Text of any length that fits the event.
    Text,
    /// Text that is neither empty nor longer than so many bytes.
    Name(usize),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number, not negative.
    Whole,
    /// A number, not negative.
    Amount,
    /// A number.
    Number,
    /// Unix milliseconds.
    Timestamp,
    /// Any JSON value, `null` included.
    Any,
    /// Any object.
    AnyObject,
    /// An object of exactly these fields.
    Object(&'static [Field]),
}

pub(crate) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Required, kind }
}

pub(crate) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Optional, kind }
}

pub(crate) const fn filled(name: &'static str, kind: Kind) -> Field {
    Field { name, need: Need::Filled, kind }
}

/// What an object said: values, and the optional fields it clears.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) values: Object,
    pub(crate) cleared: Vec<&'static str>,
}

/// Checks an object's fields one by one; which are missing is for [`missing`] to say.
pub(crate) fn read(fields: &'static [Field], mut object: Object) -> Result<Given, SessionError> {
    if let Some(name) = object.repeated() {
        return Err(SessionError::field(name, "is given twice"));
    }
    if let Some((name, _)) = object.iter().find(|(name, _)| fields.iter().all(|field| field.name != *name)) {
        let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
        return Err(SessionError::field(name, format!("is not a field here; known are {}", known.join(", "))));
    }
    let mut given = Given::default();
    for field in fields {
        let Some(value) = object.take(field.name) else { continue };
        match (value.is_null() && !matches!(field.kind, Kind::Any), field.need) {
            (false, _) | (true, Need::Required) => {
                field.kind.check(field.name, &value)?;
                given.values.push(field.name, value);
            }
            (true, Need::Optional) => given.cleared.push(field.name),
            (true, Need::Filled) => {}
        }
    }
    Ok(given)
}

/// An error for the first required field that `object` lacks.
pub(crate) fn missing(fields: &'static [Field], object: &Object) -> Result<(), SessionError> {
    let lacks = fields.iter().find(|field| field.need == Need::Required && object.get(field.name).is_none());
    lacks.map_or(Ok(()), |field| Err(SessionError::field(field.name, "is required")))
}

impl Kind {
    fn check(&self, path: &str, value: &Json) -> Result<(), SessionError> {
        if let Self::Object(fields) = self {
            return check_object(path, fields, value);
        }
        if self.accepts(value) { Ok(()) } else { Err(SessionError::field(path, self.rule())) }
    }

    fn accepts(&self, value: &Json) -> bool {
        match self {
            Self::Id => value.as_str().is_some_and(|text| is_id(&text)),
            Self::AgentId => value.as_str().is_some_and(|text| AgentId::new(&text).is_ok()),
            Self::Text => value.as_str().is_some(),
            Self::Name(bytes_max) => {
                value.as_str().is_some_and(|text| (1..=*bytes_max).contains(&text.len()) && !has_control(&text))
            }
            Self::OneOf(allowed) => value.as_str().is_some_and(|text| allowed.contains(&&*text)),
            Self::Whole => value.as_whole().is_some_and(|number| number <= WHOLE_NUMBER_MAX),
            Self::Amount => as_number(value).is_some_and(|number| number >= 0.0),
            Self::Number => as_number(value).is_some(),
            Self::Timestamp => value.as_whole().is_some_and(|number| number <= TIMESTAMP_MS_MAX),
            Self::Any => is_portable(value),
            Self::AnyObject => value.get().starts_with('{') && is_portable(value),
            Self::Object(_) => value.get().starts_with('{'),
        }
    }

    fn rule(&self) -> Cow<'static, str> {
        match self {
            Self::Id => format!("must be 1 to {ID_BYTES_MAX} bytes of text without control characters").into(),
            Self::AgentId => format!("must be {}", AgentId::rule()).into(),
            Self::Text => "must be text without unpaired surrogates".into(),
            Self::Name(bytes_max) => {
                format!("must be 1 to {bytes_max} bytes of text without control characters").into()
            }
            Self::OneOf(allowed) => format!("must be one of {}", allowed.join(", ")).into(),
            Self::Whole => format!("must be a whole number from 0 to {WHOLE_NUMBER_MAX}").into(),
            Self::Amount => "must be a number, not negative".into(),
            Self::Number => "must be a number".into(),
            Self::Timestamp => format!("must be Unix milliseconds, a whole number from 0 to {TIMESTAMP_MS_MAX}").into(),
            Self::Any => "must not hold unpaired surrogates or numbers beyond a double".into(),
            Self::AnyObject => "must be an object without unpaired surrogates or numbers beyond a double".into(),
            Self::Object(_) => "must be an object".into(),
        }
    }
}

fn check_object(path: &str, fields: &'static [Field], value: &Json) -> Result<(), SessionError> {
    let object = Object::parse(value.get()).ok_or_else(|| SessionError::field(path, Kind::Object(fields).rule()))?;
    let inside = |error| match error {
        SessionError::Validation { event, field, rule } => {
            SessionError::Validation { event, field: format!("{path}.{field}"), rule }
        }
        other => other,
    };
    let given = read(fields, object).map_err(inside)?;
    missing(fields, &given.values).map_err(inside)
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn as_number(value: &Json) -> Option<f64> {
    // A number too large for a double is an error here, not infinity.
    serde_json::from_str(value.get()).ok()
}
