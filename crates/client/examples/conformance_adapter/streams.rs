//! The operations of a stream, and what requests carry besides.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headwater_client::{Append, Client, Create, Fields, Stream};
use serde_json::{Value, json};

use crate::command::{self, Dynamic, Headers, Target};
use crate::failure::Failure;

const OCTET_STREAM: &str = "application/octet-stream";

/// Streams of the server under test.
pub(crate) struct Streams {
    client: Client,
    server_url: String,
    content_types: BTreeMap<String, String>,
    headers: BTreeMap<String, Changing>,
    params: BTreeMap<String, Changing>,
}

/// A value that is made anew for every command.
struct Changing {
    dynamic: Dynamic,
    count: u64,
}

/// The values one command sent.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) params: BTreeMap<String, String>,
}

impl Sent {
    /// Adds what was sent to a result, when anything was.
    pub(crate) fn tell(&self, result: &mut Value) {
        for (name, sent) in [("headersSent", &self.headers), ("paramsSent", &self.params)] {
            if !sent.is_empty() {
                result[name] = json!(sent);
            }
        }
    }

    fn fields(&self) -> Fields {
        let headers = self.headers.clone().into_iter().fold(Fields::new(), |fields, (name, value)| {
            fields.header_fn(name, move || {
                let value = value.clone();
                async move { Ok(value) }
            })
        });
        self.params.clone().into_iter().fold(headers, |fields, (name, value)| fields.query(name, value))
    }
}

impl Streams {
    pub(crate) fn new(client: Client, server_url: &str) -> Self {
        Self {
            client,
            server_url: server_url.to_owned(),
            content_types: BTreeMap::new(),
            headers: BTreeMap::new(),
            params: BTreeMap::new(),
        }
    }

    pub(crate) fn stream(&self, path: &str) -> Result<Stream, Failure> {
        Ok(self.client.stream_at(&format!("{}{path}", self.server_url))?)
    }

    /// The stream of which earlier commands have told the type.
    pub(crate) fn known(&self, path: &str) -> Result<Stream, Failure> {
        Ok(self.stream(path)?.with_content_type(self.content_type(path)))
    }

    pub(crate) fn content_type(&self, path: &str) -> &str {
        self.content_types.get(path).map_or(OCTET_STREAM, String::as_str)
    }

    pub(crate) fn is_json(&self, path: &str) -> bool {
        self.content_type(path).contains("application/json")
    }

    fn target(&self, target: &Target) -> Result<Stream, Failure> {
        Ok(self.stream(&target.path)?.with(fixed(&target.headers)))
    }

    /// The stream for a command that carries changing values, and these.
    pub(crate) fn with_dynamic(&mut self, target: &Target) -> Result<(Stream, Sent), Failure> {
        let sent = Sent { headers: next(&mut self.headers), params: next(&mut self.params) };
        let stream = self.known(&target.path)?.with(sent.fields()).with(fixed(&target.headers));
        Ok((stream, sent))
    }

    pub(crate) async fn create(&mut self, command: command::Create) -> Result<Value, Failure> {
        let content_type = command.content_type.unwrap_or_else(|| OCTET_STREAM.to_owned());
        let mut create = Create::new(content_type.as_str()).body(command.data.unwrap_or_default());
        if let Some(seconds) = command.ttl_seconds {
            create = create.ttl(Duration::from_secs(seconds));
        }
        if let Some(timestamp) = command.expires_at {
            create = create.expires_at(timestamp);
        }
        if command.closed {
            create = create.closed();
        }
        let created = self.target(&command.target)?.create(create).await?;
        self.content_types.insert(command.target.path, content_type);
        let status = if created.is_new { 201 } else { 200 };
        Ok(json!({ "type": "create", "success": true, "status": status, "offset": created.tail }))
    }

    pub(crate) async fn connect(&mut self, target: Target) -> Result<Value, Failure> {
        let head = self.target(&target)?.head().await?;
        self.content_types.extend(head.content_type.map(|content_type| (target.path, content_type)));
        Ok(json!({ "type": "connect", "success": true, "status": 200, "offset": head.tail }))
    }

    pub(crate) async fn append(&mut self, command: command::Append) -> Result<Value, Failure> {
        let (stream, sent) = self.with_dynamic(&command.target)?;
        let body = if command.binary {
            STANDARD.decode(&command.data).map_err(|error| Failure::invalid(error.to_string()))?
        } else {
            command.data.into_bytes()
        };
        // The suite wants to see appends repeated after a 500; this client does so only when told to.
        let mut append = Append::new().at_least_once();
        if let Some(seq) = command.seq {
            append = append.stream_seq(seq.to_string());
        }
        let tail = stream.append_with(body, append).await?.tail;
        let mut result = json!({ "type": "append", "success": true, "status": 200, "offset": tail });
        sent.tell(&mut result);
        Ok(result)
    }

    pub(crate) async fn head(&mut self, target: Target) -> Result<Value, Failure> {
        let head = self.target(&target)?.head().await?;
        self.content_types.extend(head.content_type.clone().map(|content_type| (target.path, content_type)));
        Ok(json!({
            "type": "head",
            "success": true,
            "status": 200,
            "offset": head.tail,
            "contentType": head.content_type,
            "ttlSeconds": head.ttl.map(|ttl| ttl.as_secs()),
            "expiresAt": head.expires_at,
            "streamClosed": head.closed,
        }))
    }

    pub(crate) async fn delete(&mut self, target: Target) -> Result<Value, Failure> {
        self.target(&target)?.delete().await?;
        self.content_types.remove(&target.path);
        Ok(json!({ "type": "delete", "success": true, "status": 200 }))
    }

    pub(crate) async fn close(&mut self, command: command::Close) -> Result<Value, Failure> {
        let mut stream = self.known(&command.path)?;
        if let Some(content_type) = command.content_type {
            stream = stream.with_content_type(content_type);
        }
        let tail = match command.data {
            Some(data) => stream.append_with(data, Append::new().and_close()).await?.tail,
            None => stream.close().await?,
        };
        Ok(json!({ "type": "close", "success": true, "status": 200, "finalOffset": tail }))
    }

    pub(crate) fn set_header(&mut self, dynamic: Dynamic) -> Value {
        self.headers.insert(dynamic.name.clone(), Changing { dynamic, count: 0 });
        json!({ "type": "set-dynamic-header", "success": true })
    }

    pub(crate) fn set_param(&mut self, dynamic: Dynamic) -> Value {
        self.params.insert(dynamic.name.clone(), Changing { dynamic, count: 0 });
        json!({ "type": "set-dynamic-param", "success": true })
    }

    pub(crate) fn clear_dynamic(&mut self) -> Value {
        self.headers.clear();
        self.params.clear();
        json!({ "type": "clear-dynamic", "success": true })
    }
}

fn fixed(headers: &Headers) -> Fields {
    headers.iter().fold(Fields::new(), |fields, (name, value)| fields.header(name, value))
}

fn next(changing: &mut BTreeMap<String, Changing>) -> BTreeMap<String, String> {
    changing.iter_mut().map(|(name, changing)| (name.clone(), changing.next())).collect()
}

impl Changing {
    fn next(&mut self) -> String {
        match self.dynamic.value_type.as_str() {
            "counter" => {
                self.count += 1;
                self.count.to_string()
            }
            "timestamp" => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string(),
            _ => self.dynamic.initial_value.clone().unwrap_or_default(),
        }
    }
}
