//! Upstreams over TLS and HTTP/2, with an authority that the system trusts.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use support::{Serving, ask, headwater};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const SECRET: &str = "the-secret-of-these-tests";
const EVENTS: [&str; 3] = ["data: one\n\n", "data: zwölf\r\n\r\n", "data: [DONE]\n\n"];
const LARGE_BYTES: usize = 3_000_000;

/// An authority for certificates.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server by this name that offers these protocols.
    fn server(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config).into()
    }
}

/// An upstream on a port of this machine.
struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Each connection is served by `serve`.
    fn start<F>(acceptor: TlsAcceptor, serve: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tell, told) = std::sync::mpsc::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    if let Ok(stream) = acceptor.accept(socket).await {
                        counted.fetch_add(1, SeqCst);
                        tokio::spawn(serve(stream));
                    }
                }
            });
        });
        Self { address: told.recv().unwrap(), connections }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

/// HTTP/2: every request is answered as its path says.
async fn http2(stream: TlsStream<TcpStream>, go_on: Arc<Notify>) {
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, go_on.clone()));
    }
}

async fn answer(request: Request<h2::RecvStream>, mut respond: h2::server::SendResponse<Bytes>, go_on: Arc<Notify>) {
    let path = request.uri().path().to_owned();
    let head = |status: StatusCode| {
        Response::builder().status(status).header("content-type", "text/event-stream").body(()).unwrap()
    };
    match path.as_str() {
        "/go-on" => {
            go_on.notify_one();
            drop(respond.send_response(head(StatusCode::NO_CONTENT), true));
        }
        "/no-content" => drop(respond.send_response(head(StatusCode::NO_CONTENT), true)),
        "/not-modified" => drop(respond.send_response(head(StatusCode::NOT_MODIFIED), true)),
        "/redirect" => drop(respond.send_response(head(StatusCode::FOUND), true)),
        "/large" => {
            let mut body = respond.send_response(head(StatusCode::OK), false).unwrap();
            let mut left = Bytes::from(vec![b'x'; LARGE_BYTES]);
            while !left.is_empty() {
                body.reserve_capacity(left.len());
                let Some(Ok(room)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else { return };
                body.send_data(left.split_to(room.min(left.len())), false).unwrap();
            }
            body.send_data(Bytes::new(), true).unwrap();
        }
        path => {
            let mut body = respond.send_response(head(StatusCode::OK), false).unwrap();
            for event in EVENTS {
                body.send_data(event.into(), false).unwrap();
                tokio::task::yield_now().await;
            }
            match path {
                "/trailers" => {
                    let trailers = HeaderMap::from_iter([("x-after".parse().unwrap(), "1".parse().unwrap())]);
                    body.send_trailers(trailers).unwrap();
                }
                // A reset overtakes what was said before it.
                "/reset" => {
                    go_on.notified().await;
                    body.send_reset(h2::Reason::INTERNAL_ERROR);
                }
                _ => body.send_data(Bytes::new(), true).unwrap(),
            }
        }
    }
}

fn speaking_http2(acceptor: TlsAcceptor) -> Upstream {
    let go_on = Arc::new(Notify::new());
    Upstream::start(acceptor, move |stream| http2(stream, go_on.clone()))
}

/// HTTP/1.1: a response without length, that ends with or without a farewell.
async fn http1(mut stream: TlsStream<TcpStream>) {
    let mut asked = [0; 4096];
    let read = stream.read(&mut asked).await.unwrap();
    let is_cut = asked[..read].starts_with(b"POST /cut ");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    stream.write_all(&[head.as_bytes(), EVENTS.concat().as_bytes()].concat()).await.unwrap();
    stream.flush().await.unwrap();
    if !is_cut {
        stream.shutdown().await.unwrap();
    }
}

fn serving(dir: &Path, trusted: &Authority) -> Serving {
    let roots = dir.join("roots.pem");
    std::fs::write(&roots, trusted.certificate.pem()).unwrap();
    let mut command = headwater();
    command.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR");
    let options = ["--store", "memory", "--proxy-secret", SECRET, "--proxy-allow", "https://localhost:*/**"];
    Serving::start(command.arg("serve").args(options))
}

/// Status, and path and query of the signed URL or the code of a refusal.
fn create(server: &Serving, url: &str) -> (u16, String) {
    let headers = format!(
        "Authorization: Bearer {SECRET}\r\nContent-Length: 0\r\nUpstream-URL: {url}\r\nUpstream-Method: POST\r\n"
    );
    let answer = ask(&server.address, "POST", "/v1/proxy", &headers).unwrap();
    match answer.header("location") {
        Some(location) => (answer.status, location[location.find("/v1/").unwrap()..].to_owned()),
        None => {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let upstream = answer.header("upstream-status").unwrap_or_default().to_owned();
            (answer.status, body["error"]["code"].as_str().map_or(upstream, str::to_owned))
        }
    }
}

/// The bytes of a response, and what ended it.
fn read(server: &Serving, location: &str) -> (Vec<u8>, String) {
    let (mut bytes, mut offset) = (Vec::new(), "-1".to_owned());
    loop {
        let target = format!("{location}&offset={offset}&live=long-poll");
        let answer = ask(&server.address, "GET", &target, "").unwrap();
        bytes.extend_from_slice(&answer.body);
        offset = answer.header("stream-next-offset").unwrap().to_owned();
        if answer.header("stream-closed").is_some() {
            return (bytes, answer.header("upstream-outcome").unwrap().to_owned());
        }
    }
}

#[test]
fn responses_over_http2_arrive_as_they_are_and_their_ends_are_told_apart() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let upstream = speaking_http2(authority.server("localhost", &["h2", "http/1.1"]));
    let server = serving(dir.path(), &authority);
    let through = |path: &str| {
        let (status, location) = create(&server, &upstream.url(path));
        assert_eq!(status, 201, "{path}: {location}");
        read(&server, &location)
    };
    let events = EVENTS.concat().into_bytes();
    assert_eq!(through("/whole"), (events.clone(), "complete".into()));
    assert_eq!(through("/trailers"), (events.clone(), "complete".into()), "trailers are no part of the bytes");
    assert_eq!(through("/no-content"), (Vec::new(), "complete".into()));
    let reset = create(&server, &upstream.url("/reset")).1;
    let mut offset = "-1".to_owned();
    let mut bytes = 0;
    while bytes < events.len() {
        let answer = ask(&server.address, "GET", &format!("{reset}&offset={offset}&live=long-poll"), "").unwrap();
        offset = answer.header("stream-next-offset").unwrap().to_owned();
        bytes += answer.body.len();
    }
    assert_eq!(create(&server, &upstream.url("/go-on")).0, 201);
    assert_eq!(read(&server, &reset), (events, "cut".into()));
    let (large, outcome) = through("/large");
    assert!(large == vec![b'x'; LARGE_BYTES] && outcome == "complete", "{} bytes, {outcome}", large.len());
    assert_eq!(create(&server, &upstream.url("/redirect")), (400, "REDIRECT_NOT_ALLOWED".into()));
    assert_eq!(create(&server, &upstream.url("/not-modified")), (502, "304".into()));
    assert_eq!(upstream.connections.load(SeqCst), 1, "all of them shared a connection");
}

#[test]
fn responses_share_an_http2_connection_at_the_same_time() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let upstream = speaking_http2(authority.server("localhost", &["h2"]));
    let server = serving(dir.path(), &authority);
    assert_eq!(create(&server, &upstream.url("/whole")).0, 201);
    let locations: Vec<_> = (0..8).map(|_| create(&server, &upstream.url("/large")).1).collect();
    std::thread::scope(|scope| {
        let readers: Vec<_> = locations.iter().map(|location| scope.spawn(|| read(&server, location))).collect();
        for reader in readers {
            let (bytes, outcome) = reader.join().unwrap();
            assert!(bytes.len() == LARGE_BYTES && outcome == "complete", "{} bytes, {outcome}", bytes.len());
        }
    });
    assert_eq!(upstream.connections.load(SeqCst), 1);
}

#[test]
fn over_tls_a_missing_farewell_is_a_cut() {
    let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let upstream = Upstream::start(authority.server("localhost", &["http/1.1"]), http1);
    let server = serving(dir.path(), &authority);
    let events = EVENTS.concat().into_bytes();
    for (path, outcome) in [("/whole", "complete"), ("/cut", "cut")] {
        let (status, location) = create(&server, &upstream.url(path));
        assert_eq!(status, 201, "{location}");
        assert_eq!(read(&server, &location), (events.clone(), outcome.into()));
    }
}

#[test]
fn an_upstream_that_cannot_prove_its_name_is_not_talked_to() {
    let (dir, trusted, stranger) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let server = serving(dir.path(), &trusted);
    let unknown = speaking_http2(stranger.server("localhost", &["h2"]));
    let other = speaking_http2(trusted.server("other.example", &["h2"]));
    for upstream in [unknown, other] {
        assert_eq!(create(&server, &upstream.url("/whole")), (502, "UPSTREAM_ERROR".into()));
        assert_eq!(upstream.connections.load(SeqCst), 0);
    }
}
