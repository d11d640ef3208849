use std::time::Duration;

use super::*;
use crate::Error;
use crate::sessions::fold::Fold;
use crate::sessions::writes::Writes;
use crate::sessions::{AgentStatus, Operation, SessionEvent, TerminalLine};

struct Setup {
    fold: Fold,
    writes: Writes,
}

fn setup() -> Setup {
    Setup { fold: Fold::default(), writes: Writes::new("s") }
}

impl Setup {
    fn begin(&self, txid: &str, post: Post) -> Txn {
        let txid: Arc<str> = txid.into();
        let told = self.writes.begin(&self.fold, &txid, vec![post]);
        Txn { txid, told }
    }

    /// What the stream brings of a post.
    fn echo(&self, txid: &str, post: &Post, offset: &str) {
        let mut data = post.data.clone();
        data.insert("sessionId".into(), "s".into());
        let event = SessionEvent {
            session_id: None,
            channel: post.channel().unwrap(),
            key: post.key().unwrap().to_owned(),
            operation: Operation::Insert,
            data: Some(data.into()),
            offset: Some(offset.into()),
            txid: Some(txid.to_owned()),
            timestamp: None,
        };
        self.fold.apply(&event);
        self.writes.came_back(&event);
        self.writes.settle(&self.fold, &offset.into());
    }

    fn lines(&self) -> Vec<Arc<TerminalLine>> {
        self.fold.terminal.rows()
    }
}

/// Whether it is decided already.
async fn is_open(txn: &mut Txn) -> bool {
    futures_util::future::poll_fn(|context| std::task::Poll::Ready(Pin::new(&mut *txn).poll(context).is_pending()))
        .await
}

#[tokio::test]
async fn s_2_1_a_write_is_shown_at_once_and_confirmed_when_it_comes_back() {
    let setup = setup();
    let post = Post::terminal_input("make");
    let mut changes = setup.fold.terminal.subscribe();
    let mut txn = setup.begin("t", post.clone());
    assert_eq!((setup.lines().len(), changes.try_next().len()), (1, 1));
    setup.writes.acknowledge(&setup.fold, "t", "5".into());
    assert!(is_open(&mut txn).await, "an answer is not yet the stream");
    setup.echo("t", &post, "5");
    let confirmed = txn.await.unwrap();
    assert_eq!((confirmed.offset.as_str(), confirmed.posts), ("5", vec![post]));
    assert_eq!((setup.lines().len(), setup.writes.len()), (1, 0));
    let echo = changes.try_next();
    assert!(matches!(&echo[..], [crate::sessions::RowChange::Update { .. }]), "nothing flickers: {echo:?}");
}

#[tokio::test]
async fn s_2_1_the_echo_may_come_before_the_answer() {
    let setup = setup();
    let post = Post::terminal_input("make");
    let txn = setup.begin("t", post.clone());
    setup.echo("t", &post, "5");
    setup.writes.acknowledge(&setup.fold, "t", "5".into());
    setup.writes.roll_back(&setup.fold, "t", SessionError::Ended);
    assert_eq!(txn.await.unwrap().offset.as_str(), "5");
    assert_eq!(setup.lines().len(), 1);
}

#[tokio::test]
async fn s_2_1_a_failed_write_is_rolled_back_once() {
    let setup = setup();
    let txn = setup.begin("t", Post::terminal_input("make"));
    setup.writes.roll_back(&setup.fold, "t", Error::invalid("no").into());
    setup.writes.roll_back(&setup.fold, "t", SessionError::Ended);
    setup.writes.acknowledge(&setup.fold, "t", "5".into());
    let rolled_back = txn.await.unwrap_err();
    assert!(matches!(rolled_back.error, SessionError::Client(_)), "{rolled_back}");
    assert!(setup.lines().is_empty());
}

#[tokio::test]
async fn s_2_1_a_duplicate_is_confirmed_where_the_original_is() {
    let setup = setup();
    setup.writes.settle(&setup.fold, &"7".into());
    let txn = setup.begin("t", Post::terminal_input("make"));
    setup.writes.acknowledge(&setup.fold, "t", "5".into());
    assert_eq!(txn.await.unwrap().offset.as_str(), "5");
    assert!(setup.lines().is_empty(), "its row is what the stream has brought, and it brought none here");
}

#[tokio::test]
async fn s_2_1_what_was_acknowledged_is_confirmed_when_nothing_follows_the_stream() {
    let setup = setup();
    let mut txn = setup.begin("t", Post::terminal_input("make"));
    setup.writes.acknowledge(&setup.fold, "t", "5".into());
    assert!(is_open(&mut txn).await);
    setup.writes.end(&setup.fold);
    assert!(txn.await.is_ok());
}

#[tokio::test]
async fn s_2_1_a_draft_lies_over_what_is_confirmed_and_beneath_nothing_once_it_goes() {
    let setup = setup();
    let running = Post::agent_state("coder", AgentStatus::Running).with("turn", 3);
    setup.echo("t0", &running, "1");
    let txn = setup.begin("t", Post::agent_state("coder", AgentStatus::Paused));
    let state = setup.fold.agent_states.get("coder").unwrap();
    assert_eq!((state.status, state.turn), (AgentStatus::Paused, Some(3)), "partial rows are merged");
    // Somebody else is faster.
    setup.echo("t1", &Post::agent_state("coder", AgentStatus::Error), "2");
    assert_eq!(setup.fold.agent_states.get("coder").unwrap().status, AgentStatus::Paused);
    setup.writes.roll_back(&setup.fold, "t", SessionError::Ended);
    assert_eq!(setup.fold.agent_states.get("coder").unwrap().status, AgentStatus::Error);
    assert!(txn.await.is_err());
}

fn queued(shared: &Shared, queue: &mpsc::Sender<Queued>, text: &str) -> Txn {
    let txid: Arc<str> = text.into();
    let told = shared.writes.begin(&shared.fold, &txid, vec![Post::terminal_input(text)]);
    let url = url::Url::parse("http://a.example/").unwrap();
    let mut call = Call::new(http::Method::POST, &url, &crate::Fields::new());
    call.body = text.to_owned().into();
    queue.try_send(Queued { txid: txid.clone(), call, begun: Instant::now() }).unwrap();
    Txn { txid, told }
}

#[tokio::test(start_paused = true)]
async fn p_7_writes_go_one_after_the_other_and_nobody_waits_longer_than_a_minute() {
    let shared = Arc::new(Shared::new("s"));
    let (queue, queued_writes) = mpsc::channel(WRITES_MAX);
    let sent = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let noted = sent.clone();
    let send = move |call: Call| {
        noted.lock().push(String::from_utf8(call.body.to_vec()).unwrap());
        let hangs = call.body == "hangs";
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(Offset::from("5"))
        }
    };
    tokio::spawn(send_all(queued_writes, shared.clone(), send));
    let begun = Instant::now();
    let first = queued(&shared, &queue, "first");
    let hangs = queued(&shared, &queue, "hangs");
    let behind = queued(&shared, &queue, "behind");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let later = queued(&shared, &queue, "later");
    assert_eq!(shared.fold.terminal.len(), 4);
    for late in [hangs, behind] {
        let error = late.await.unwrap_err().error;
        assert!(matches!(error, SessionError::Unacknowledged { .. }), "{error}");
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }
    shared.writes.settle(&shared.fold, &"5".into());
    assert!(first.await.is_ok() && later.await.is_ok());
    assert_eq!(*sent.lock(), ["first", "hangs", "later"], "in order, and nothing is sent that was rolled back");
    assert!(shared.fold.terminal.is_empty(), "drafts are gone, and the stream has brought nothing here");
}
