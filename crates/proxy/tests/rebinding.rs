//! Names that change their meaning: what is connected to is what was checked.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use headwater_proxy::{
    Allowlist, CreateError, FetchError, Lookup, Names, PrivateHosts, Proxy, ProxyConfig, ProxyLimits, Secrets,
    UpstreamRequest,
};
use headwater_streams::limits::EngineLimits;
use headwater_streams::memory::MemoryStore;
use headwater_streams::{Durability, Engine, SystemClock, Unobserved};
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const NAME: &str = "flips.example";

/// Answers one list of addresses after the other, the last one for good.
#[derive(Debug)]
struct Flipping {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Flipping {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Names for Flipping {
    fn look_up(&self, name: &str) -> Lookup {
        assert_eq!(name, NAME);
        let at = self.asked.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        let addresses: Vec<_> = self.answers[at].iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
        Box::pin(async move { Ok(addresses) })
    }
}

/// A listener that says its own address to everybody, and how many came.
async fn listener(address: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, SeqCst);
            let mut asked = [0; 4096];
            assert!(socket.read(&mut asked).await.unwrap() > 0);
            let body = address.to_string();
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, calls)
}

async fn proxy(names: Arc<Flipping>, private: &[&str]) -> Proxy<MemoryStore> {
    let clock = Arc::new(SystemClock);
    let engine = Engine::start(MemoryStore::new(), clock, EngineLimits::default(), Arc::new(Unobserved));
    let config = ProxyConfig {
        secrets: Secrets::new(vec!["the-secret-of-these-tests".into()]).unwrap(),
        allowlist: Allowlist::new(vec![format!("http://{NAME}:*/**").parse().unwrap()]),
        private_hosts: PrivateHosts::new(private.iter().map(|name| (*name).to_owned())),
        durability: Durability::Ephemeral,
        limits: ProxyLimits::default(),
    };
    Proxy::open_with(engine, config, names).await.unwrap()
}

async fn call(proxy: &Proxy<MemoryStore>, port: u16) -> Result<(), CreateError> {
    let mut headers = HeaderMap::new();
    headers.insert("upstream-url", format!("http://{NAME}:{port}/").parse().unwrap());
    headers.insert("upstream-method", "GET".parse().unwrap());
    let request = UpstreamRequest::parse(&headers, proxy.allowlist()).unwrap();
    proxy.create(request).await.map(|_| ())
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let (first, first_calls) = listener("127.0.0.1:0").await;
    let (_, second_calls) = listener(&format!("127.0.0.2:{}", first.port())).await;
    let names = Flipping::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let proxy = proxy(names.clone(), &[NAME]).await;
    call(&proxy, first.port()).await.unwrap();
    assert_eq!((first_calls.load(SeqCst), second_calls.load(SeqCst)), (1, 0));
    assert_eq!(names.asked.load(SeqCst), 1, "one answer is checked and used");
    call(&proxy, first.port()).await.unwrap();
    assert_eq!((first_calls.load(SeqCst), second_calls.load(SeqCst)), (1, 1), "the next connection asks anew");
}

#[tokio::test]
async fn a_name_that_comes_to_stand_for_this_machine_is_refused() {
    let (address, calls) = listener("127.0.0.1:0").await;
    for answers in [&[&["127.0.0.1"][..]][..], &[&["1.1.1.1", "127.0.0.1"]], &[&["::ffff:127.0.0.1"]], &[&["0.0.0.0"]]]
    {
        let proxy = proxy(Flipping::new(answers), &[]).await;
        let refused = call(&proxy, address.port()).await.unwrap_err();
        assert!(matches!(refused, CreateError::Fetch(FetchError::NotPublic)), "{refused:?}");
    }
    assert_eq!(calls.load(SeqCst), 0);
}

#[tokio::test]
async fn a_kept_connection_is_not_used_once_the_name_is_refused_to_new_ones() {
    let (address, _) = listener("127.0.0.1:0").await;
    let names = Flipping::new(&[&["127.0.0.1"], &[]]);
    let proxy = proxy(names, &[NAME]).await;
    call(&proxy, address.port()).await.unwrap();
    let refused = call(&proxy, address.port()).await.unwrap_err();
    assert!(matches!(refused, CreateError::Fetch(FetchError::Unreachable)), "{refused:?}");
}
