use headwater_client::sessions::{Channel, ErrorCode, Post, SessionError};

use crate::setup;
use crate::support::soon;

#[tokio::test]
async fn s_2_1_an_optimistic_write_is_confirmed_by_the_stream() {
    let test = setup().await;
    let session = test.follow().await;
    let post = Post::chunk("coder", "a").turn(1);
    let id = post.id().unwrap().to_owned();
    let txn = session.write([post]).unwrap();
    assert!(session.chunks().get(&id).is_some(), "shown at once");
    let txid = txn.txid().to_owned();
    let confirmed = soon(txn).await.unwrap();
    assert_eq!(confirmed.txid, txid);
    assert_eq!(confirmed.offset, test.client.tail(&test.id).await.unwrap());
    assert_eq!((session.chunks().len(), session.messages().len()), (1, 1));
}

#[tokio::test]
async fn s_2_1_a_refused_write_is_rolled_back_and_says_why() {
    let test = setup().await;
    let session = test.follow().await;
    let post = Post::terminal_input("first");
    soon(session.write([post.clone()]).unwrap()).await.unwrap();
    let other = post.with("data", "second");
    let rolled_back = soon(session.write([other]).unwrap()).await.unwrap_err();
    assert_eq!(rolled_back.error.code(), Some(&ErrorCode::EventConflict));
    assert_eq!(session.terminal().lines().rows()[0].data, "first");
    test.client.close(&test.id).await.unwrap();
    let rolled_back = soon(session.write([Post::terminal_input("late")]).unwrap()).await.unwrap_err();
    assert_eq!(rolled_back.error.code(), Some(&ErrorCode::SessionClosed));
    assert_eq!(session.terminal().lines().len(), 1);
}

#[tokio::test]
async fn s_2_1_a_duplicate_write_is_confirmed() {
    let test = setup().await;
    let session = test.follow().await;
    let post = Post::terminal_input("make");
    let first = soon(session.write([post.clone()]).unwrap()).await.unwrap();
    let again = soon(session.write([post]).unwrap()).await.unwrap();
    assert_eq!(first.offset, again.offset);
    assert_eq!(session.terminal().lines().len(), 1);
}

#[tokio::test]
async fn s_2_1_writes_of_steps_and_of_presence_are_confirmed_too() {
    let test = setup().await;
    let session = test.follow().await;
    soon(session.write([Post::step_turn("coder", 1), Post::step_token("coder", "x")]).unwrap()).await.unwrap();
    assert_eq!(session.agent_states().len(), 1);
    let here = Post::new(Channel::Presence).with("userId", "ada");
    soon(session.write([here]).unwrap()).await.unwrap();
}

#[tokio::test]
async fn an_outbox_writes_everything_in_order_once() {
    let test = setup().await;
    let outbox = test.client.outbox(&test.id);
    let mut posts = Vec::new();
    for at in 0..2_500 {
        let post = Post::terminal_output(format!("{at} "));
        posts.push(post.clone());
        outbox.send(post).await.unwrap();
    }
    outbox.send(Post::step_turn("coder", 1)).await.unwrap();
    outbox.send(Post::chunk("coder", "end")).await.unwrap();
    let status = soon(outbox.close()).await.unwrap();
    assert_eq!((status.written, status.refused, status.waiting), (2_502, 0, 0));
    let stored = test.client.state(&test.id).await.unwrap();
    let text: String = stored.terminal.iter().map(|line| line.data.clone()).collect();
    assert_eq!(text, (0..2_500).map(|at| format!("{at} ")).collect::<String>());
    assert_eq!(status.offset, Some(stored.offset));
}

#[tokio::test]
async fn an_outbox_leaves_out_what_is_refused_and_ends_with_its_session() {
    let test = setup().await;
    let outbox = test.client.outbox(&test.id);
    outbox.send(Post::chunk("coder", "good")).await.unwrap();
    outbox.send(Post::new(Channel::Chunks).with("text", 7)).await.unwrap();
    outbox.send(Post::chunk("coder", " too")).await.unwrap();
    soon(outbox.flush()).await.unwrap();
    let status = outbox.status().borrow().clone();
    assert_eq!((status.written, status.refused), (2, 1));
    assert_eq!(test.client.messages(&test.id).await.unwrap().messages[0].text, "good too");
    let large = outbox.send(Post::chunk("coder", "x".repeat(70_000))).await.unwrap_err();
    assert!(matches!(large, SessionError::EventTooLarge { .. }), "{large}");
    test.client.close(&test.id).await.unwrap();
    outbox.send(Post::chunk("coder", "late")).await.unwrap();
    assert_eq!(soon(outbox.flush()).await.unwrap_err().code(), Some(&ErrorCode::SessionClosed));
}
