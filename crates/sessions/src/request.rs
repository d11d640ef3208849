//! What a writer posts: one event or an array of them, atomic as a whole; or agent steps.

use serde_json::value::RawValue;

use crate::channel::Channel;
use crate::error::SessionError;
use crate::event::{Event, bounded_object};
use crate::id::SessionId;
use crate::json::{Fields, Json, as_str};
use crate::limits::{EVENTS_PER_REQUEST_MAX, TXID_BYTES_MAX};
use crate::steps::Step;

/// One thing a writer says.
#[derive(Debug, Clone)]
pub enum Input {
    /// On a channel.
    Event(Event),
    /// As an agent's step, which becomes an event once the state is known.
    Step(Step),
}

/// All that one request says.
#[derive(Debug, Clone)]
pub struct Request {
    /// In order; never empty.
    pub inputs: Vec<Input>,
    /// The transaction id that the writer chose.
    pub txid: Option<String>,
}

impl Request {
    /// Reads `{channel, data, txid?}`, or an array of such, sent to `session`.
    pub fn parse_events(body: &[u8], session: &SessionId) -> Result<Self, SessionError> {
        Self::parse(body, |item| read_event(item, session))
    }

    /// Reads `{type, …, txid?}`, or an array of such, sent to `session`.
    pub fn parse_steps(body: &[u8]) -> Result<Self, SessionError> {
        Self::parse(body, read_step)
    }

    fn parse(
        body: &[u8],
        read: impl Fn(&RawValue) -> Result<(Input, Option<String>), SessionError>,
    ) -> Result<Self, SessionError> {
        let raw: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
        if !raw.get().starts_with('[') {
            let (input, txid) = read(raw)?;
            return Ok(Self { inputs: vec![input], txid });
        }
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|error| not_json(&error))?;
        if items.is_empty() || items.len() > EVENTS_PER_REQUEST_MAX {
            let rule = format!("must hold 1 to {EVENTS_PER_REQUEST_MAX} events");
            return Err(SessionError::InvalidParams { name: "body", rule: rule.into() });
        }
        let mut request = Self { inputs: Vec::with_capacity(items.len()), txid: None };
        for (index, item) in items.into_iter().enumerate() {
            let (input, txid) = read(item).map_err(|error| error.in_event(index))?;
            if request.txid.is_some() && txid.is_some() && request.txid != txid {
                let one = "must be the same for all events of an array: they are one transaction";
                return Err(SessionError::field("txid", one).in_event(index));
            }
            request.inputs.push(input);
            request.txid = request.txid.or(txid);
        }
        Ok(request)
    }
}

fn read_event(item: &RawValue, session: &SessionId) -> Result<(Input, Option<String>), SessionError> {
    let members = Fields::parse(item.get()).ok_or_else(|| SessionError::field("event", "must be an object"))?;
    check_known(&members, &["channel", "data", "txid"])?;
    let txid = read_txid(members.get("txid"))?;
    let channel = members.get("channel").ok_or_else(|| SessionError::field("channel", "is required"))?;
    let channel = as_str(channel.get()).and_then(|text| text.parse::<Channel>().ok()).ok_or_else(|| {
        let names: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
        SessionError::field("channel", format!("must be one of {}", names.join(", ")))
    })?;
    let data = members.get("data").ok_or_else(|| SessionError::field("data", "is required"))?;
    Ok((Input::Event(Event::parse(channel, data, session)?), txid))
}

fn read_step(item: &RawValue) -> Result<(Input, Option<String>), SessionError> {
    let mut object = bounded_object("step", item)?;
    let txid = object.take("txid").map(|json| check_txid(&json)).transpose()?;
    Ok((Input::Step(Step::parse(object)?), txid))
}

fn read_txid(raw: Option<&RawValue>) -> Result<Option<String>, SessionError> {
    raw.map(|raw| check_txid(&Json::compact(raw))).transpose()
}

fn check_txid(json: &Json) -> Result<String, SessionError> {
    let fits = |text: &str| (1..=TXID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    json.as_str().filter(|text| fits(text)).map(|text| text.into_owned()).ok_or_else(|| {
        SessionError::field("txid", format!("must be 1 to {TXID_BYTES_MAX} bytes of text without control characters"))
    })
}

fn not_json(error: &serde_json::Error) -> SessionError {
    SessionError::InvalidParams { name: "body", rule: format!("is not valid JSON: {error}").into() }
}

fn check_known(members: &Fields<'_>, known: &[&str]) -> Result<(), SessionError> {
    let unknown = members.iter().find(|(member, _)| !known.contains(member));
    unknown.map_or(Ok(()), |(member, _)| {
        Err(SessionError::field(member, format!("is not a field here; known are {}", known.join(", "))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (String, Option<usize>) {
        let session = SessionId::new("s").unwrap();
        let error = Request::parse_events(body.as_bytes(), &session).unwrap_err();
        (error.field_name().unwrap_or_default().to_owned(), error.event())
    }

    const CHUNK: &str = r#"{"channel":"chunks","data":{"agentId":"a","text":"x"}}"#;

    #[test]
    fn one_event_and_an_array_are_read() {
        let session = SessionId::new("s").unwrap();
        assert_eq!(Request::parse_events(CHUNK.as_bytes(), &session).unwrap().inputs.len(), 1);
        let array = format!("[{CHUNK}, {}]", CHUNK.replace("chunks\"", "chunks\",\"txid\":\"t\""));
        let request = Request::parse_events(array.as_bytes(), &session).unwrap();
        assert_eq!((request.inputs.len(), request.txid.as_deref()), (2, Some("t")));
    }

    #[test]
    fn refusals_name_what_is_wrong_and_where() {
        assert_eq!(refused("{"), ("body".into(), None));
        assert_eq!(refused("[]"), ("body".into(), None));
        assert_eq!(refused("1"), ("event".into(), None));
        assert_eq!(refused("{}"), ("channel".into(), None));
        assert_eq!(refused(r#"{"channel":"chunk","data":{}}"#), ("channel".into(), None));
        assert_eq!(refused(r#"{"channel":"chunks"}"#), ("data".into(), None));
        assert_eq!(refused(r#"{"channel":"chunks","data":1}"#), ("data".into(), None));
        assert_eq!(refused(r#"{"channel":"chunks","data":{},"dta":1}"#), ("dta".into(), None));
        assert_eq!(
            refused(&format!(r#"[{CHUNK},{{"channel":"chunks","data":{{"text":1}}}}]"#)),
            ("text".into(), Some(1))
        );
        let with_txid = |txid: &str| CHUNK.replace("chunks\"", &format!("chunks\",\"txid\":{txid}"));
        assert_eq!(refused(&with_txid("1")), ("txid".into(), None));
        assert_eq!(refused(&format!("[{},{}]", with_txid("\"a\""), with_txid("\"b\""))), ("txid".into(), Some(1)));
        let many = format!("[{}]", [CHUNK; EVENTS_PER_REQUEST_MAX + 1].join(","));
        assert_eq!(refused(&many), ("body".into(), None));
    }
}
