//! Streams over TLS, HTTP/2 where it is offered, behind an authority of one's own.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use headwater_client::{Append, Create, Error, Offset, Stream};
use headwater_testing::TestServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use support::{builder, soon};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Ends TLS in front of a server and agrees on one of `protocols`.
struct TlsFront {
    url: String,
    authority: String,
    connections: Arc<AtomicUsize>,
}

impl TlsFront {
    async fn before(server: &TestServer, protocols: &[&[u8]]) -> Self {
        let (config, authority) = signed_by_its_own_authority(protocols);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/v1/stream", listener.local_addr().unwrap().port());
        let connections = Arc::new(AtomicUsize::new(0));
        let (acceptor, behind) = (TlsAcceptor::from(Arc::new(config)), server.address);
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    // A client that does not trust this ends here; the test sees it at the client.
                    let Ok(mut front) = acceptor.accept(socket).await else { return };
                    counted.fetch_add(1, Ordering::SeqCst);
                    let mut back = TcpStream::connect(behind).await.unwrap();
                    tokio::io::copy_bidirectional(&mut front, &mut back).await.ok();
                });
            }
        });
        Self { url, authority, connections }
    }

    fn trusted(&self) -> Stream {
        builder(&self.url).trust(self.authority.as_bytes()).build().unwrap().stream("a/stream").unwrap()
    }
}

fn signed_by_its_own_authority(protocols: &[&[u8]]) -> (ServerConfig, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    (config, authority.pem())
}

/// Creates, follows live with several readers at once, appends and closes; the connections this took.
async fn followed_by_five(protocols: &[&[u8]]) -> usize {
    let server = TestServer::start();
    let front = TlsFront::before(&server, protocols).await;
    let stream = front.trusted();
    stream.create(Create::new("text/plain")).await.unwrap();
    let readers: Vec<_> = (0..5).map(|_| stream.reader().from(Offset::start())).collect();
    let writing = async {
        stream.append("one ").await.unwrap();
        stream.append_with("two", Append::new().and_close()).await.unwrap();
    };
    let reading = futures_util::future::join_all(readers.into_iter().map(|reader| async move {
        reader.open().map(|batch| batch.unwrap().text().into_owned()).collect::<String>().await
    }));
    let ((), read) = soon(async { tokio::join!(writing, reading) }).await;
    assert_eq!(read, vec!["one two"; 5]);
    front.connections.load(Ordering::SeqCst)
}

// The front has to go on while the server is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_http_2_is_offered_all_readers_and_writers_share_one_connection() {
    assert_eq!(followed_by_five(&[b"h2", b"http/1.1"]).await, 1);
}

// The front has to go on while the server is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_it_is_not_each_live_reader_has_a_connection_of_its_own() {
    assert!(followed_by_five(&[b"http/1.1"]).await >= 5);
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not_trusted_and_what_is_no_certificate_is_refused() {
    let server = TestServer::start();
    let front = TlsFront::before(&server, &[b"h2"]).await;
    let stranger = builder(&front.url).attempts_max(1).build().unwrap();
    let error = stranger.stream("a/stream").unwrap().head().await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(front.connections.load(Ordering::SeqCst), 0);
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(builder(&front.url).trust(pem.as_bytes()).build(), Err(Error::Invalid(_))), "{pem:?}");
    }
}
