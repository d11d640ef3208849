//! What searches find, and that no query breaks them.

use headwater_sessions::{AgentId, Found, Operation, SearchError, SearchQuery, SessionId, SessionSearch};
use headwater_testing::stage::{EPOCH_MS, json_stream};
use serde_json::json;

use crate::world::{World, asking, at, call, catch_up, chunk, line, session};

fn only(text: &str, kind: Found) -> SearchQuery {
    SearchQuery { kinds: vec![kind], ..asking(text) }
}

#[tokio::test]
async fn words_that_span_tokens_are_found() {
    let world = World::new().await.with(&["s"]).await;
    let mut projector = world.projected().await;
    for token in ["The quick br", "own fox jum", "ps"] {
        world.say("s", "coder", 3, &[token]).await;
        catch_up(&mut projector).await;
    }
    for text in ["brown", "jumps", "\"quick brown fox\"", "fox quick", "BROWN", "bro"] {
        assert_eq!(world.find(text).await, [("s".into(), "messages", "coder-3".into())], "{text}");
    }
    for text in ["br own", "own", "ps", "\"fox brown\"", "brow "] {
        assert_eq!(world.find(text).await, [], "{text}");
    }
}

#[tokio::test]
async fn a_long_message_is_found_at_every_place() {
    let world = World::new().await.with(&["s"]).await;
    let tokens: Vec<String> = (0..8_000).flat_map(|i| ["wo".to_owned(), format!("rd{i} ")]).collect();
    let chunks: Vec<_> = tokens.iter().map(|token| chunk("a", 0, token)).collect();
    world.append("session/s", &chunks).await;
    world.projected().await;
    assert!(world.texts().len() > 5, "the message has parts");
    for i in (0..8_000).step_by(37) {
        assert_eq!(world.find(&format!("word{i} ")).await.len(), 1, "word{i}");
    }
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn tool_calls_are_found_by_tool_input_and_output() {
    let world = World::new().await.with(&["s"]).await;
    let input = json!({"path": "src/main.rs", "lines": [1, 20], "text": "first\nsecond"});
    world.append("session/s", &[call("t1", Operation::Insert, input.clone(), None)]).await;
    let mut projector = world.projected().await;
    assert_eq!(world.find("bingo").await, []);
    world.append("session/s", &[call("t1", Operation::Update, input, Some(json!("\u{1b}[31mbingo\u{1b}[0m")))]).await;
    catch_up(&mut projector).await;
    for text in ["read_file", "main.rs", "second ", "bingo", "20 ", "path main"] {
        assert_eq!(world.find(text).await, [("s".into(), "toolCalls", "t1".into())], "{text}");
    }
    let deletion = crate::world::change(headwater_sessions::RowType::Tool, "t1", Operation::Delete, None);
    world.append("session/s", &[deletion]).await;
    catch_up(&mut projector).await;
    assert_eq!(world.find("bingo").await, []);
}

#[tokio::test]
async fn the_terminal_is_found_without_its_escapes() {
    let world = World::new().await.with(&["s"]).await;
    let data =
        "\u{1b}[1;32mPASS\u{1b}[0m \u{1b}]8;;http://hidden\u{1b}\\linked\u{1b}]8;;\u{1b}\\ te\u{1b}[4mst\u{1b}[0m\r\n";
    world.append("session/s", &[line("l1", data)]).await;
    world.projected().await;
    for text in ["pass", "linked", "test"] {
        assert_eq!(world.find(text).await, [("s".into(), "terminal", "l1".into())], "{text}");
    }
    for text in ["32mPASS", "hidden", "0m"] {
        assert_eq!(world.find(text).await, [], "{text}");
    }
    let hit = world.search(asking("linked")).await.hits.remove(0);
    assert_eq!(hit.snippet, "PASS linked test\n");
}

#[tokio::test]
async fn letters_of_all_scripts_and_accents_are_found() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["Café ", "naï", "ve Ünïcode ", "Привет ми", "р 🙂 emoji ", "日本語 text"]).await;
    world.projected().await;
    for text in ["cafe", "CAFÉ", "naive", "unicode", "привет", "мир", "日本語", "emoji 🙂"] {
        assert_eq!(world.find(text).await.len(), 1, "{text}");
    }
}

#[tokio::test]
async fn no_query_is_an_error_for_what_it_holds() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["OR and NOT near text AND \"quoted\" col:umn a-b c++ 100% it's"]).await;
    world.projected().await;
    let long = "x ".repeat(200);
    for text in [
        "",
        " ",
        "\"",
        "\"\"",
        "\"\"\"",
        "*",
        "**",
        "a*b",
        "OR",
        "AND OR NOT",
        "NOT",
        "NEAR(a b)",
        "text:x",
        "{text}:x",
        "- text",
        "-text",
        "^text",
        "(",
        ")",
        "((a",
        "a)",
        "+",
        "a + b",
        "'",
        "''; DROP TABLE texts;--",
        "\0",
        "a\0b",
        "\\",
        "%",
        "_",
        "\u{301}",
        "🙂",
        "\u{feff}",
        "NEAR/2",
        "col:umn",
        "a AND",
        "OR b",
        "\u{2}\u{3}",
        "?1",
        ":name",
        "\"a\" \"",
        "\u{200d}",
        "ǅ",
        "ª",
        &long,
    ] {
        let found = world.index().search(asking(text)).await;
        assert!(found.is_ok(), "{text:?}: {found:?}");
    }
    for text in ["OR", "and not", "near", "\"quoted\"", "col:umn", "a-b", "c++", "100%", "it's"] {
        assert_eq!(world.find(text).await.len(), 1, "{text}");
    }
}

#[tokio::test]
async fn parameters_out_of_bounds_are_told_by_name() {
    let world = World::new().await;
    world.projected().await;
    for (query, expected) in [
        (asking(&"x".repeat(513)), "q"),
        (SearchQuery { limit: Some(0), ..asking("x") }, "limit"),
        (SearchQuery { limit: Some(101), ..asking("x") }, "limit"),
        (SearchQuery { cursor: Some("nonsense".into()), ..asking("x") }, "cursor"),
    ] {
        let refused = world.index().search(query).await.unwrap_err();
        assert!(matches!(&refused, SearchError::Invalid { name, .. } if *name == expected), "{refused}");
    }
}

#[tokio::test]
async fn filters_narrow_what_is_found() {
    let world = World::new().await.with(&["s", "t"]).await;
    world.stage.put(json_stream("sessions")).await;
    world.append("sessions", &[session("s", "red", None), session("t", "blue", None)]).await;
    world.say("s", "a", 0, &["needle"]).await;
    world.append("session/s", &[line("l", "needle")]).await;
    world.append("session/t", &[at(EPOCH_MS + 500, chunk("b", 0, "needle"))]).await;
    world.append("session/t", &[call("c", Operation::Insert, json!("needle"), None)]).await;
    world.projected().await;
    let count = async |query: SearchQuery| world.search(query).await.hits.len();
    assert_eq!(count(asking("needle")).await, 4);
    assert_eq!(count(SearchQuery { session: Some(SessionId::new("s").unwrap()), ..asking("needle") }).await, 2);
    assert_eq!(count(SearchQuery { agent: Some(AgentId::new("b").unwrap()), ..asking("needle") }).await, 1);
    assert_eq!(count(SearchQuery { project: Some("blue".into()), ..asking("needle") }).await, 2);
    assert_eq!(count(only("needle", Found::Message)).await, 2);
    assert_eq!(count(only("needle", Found::ToolCall)).await, 1);
    assert_eq!(count(only("needle", Found::Terminal)).await, 1);
    assert_eq!(count(SearchQuery { start_ms: Some(EPOCH_MS + 1), ..asking("needle") }).await, 1);
    assert_eq!(count(SearchQuery { end_ms: Some(EPOCH_MS), ..asking("needle") }).await, 3);
}

#[tokio::test]
async fn a_hit_says_where_it_is_and_shows_what_matched() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "coder", 1, &["before the nee", "dle and after"]).await;
    world.projected().await;
    let hit = world.search(asking("needle")).await.hits.remove(0);
    assert_eq!(hit.offset.get(), world.stage.tail("session/s").await);
    assert_eq!((hit.agent_id.as_deref(), hit.timestamp), (Some("coder"), EPOCH_MS));
    assert_eq!(hit.snippet, "before the needle and after");
    let matched: Vec<_> = hit.parts.iter().filter(|part| part.is_match).map(|part| part.text.as_str()).collect();
    assert_eq!(matched, ["needle"]);
    let shown = serde_json::to_value(&hit).unwrap();
    assert_eq!((&shown["sessionId"], &shown["channel"]), (&json!("s"), &json!("messages")));
    assert_eq!(shown["parts"][1], json!({"text": "needle", "match": true}));
}

#[tokio::test]
async fn pages_show_every_hit_once_best_first() {
    let world = World::new().await.with(&["s"]).await;
    let lines: Vec<_> =
        (0..57).map(|i| line(&format!("l{i}"), &format!("{} filler {i}", "needle ".repeat(i % 5 + 1)))).collect();
    world.append("session/s", &lines).await;
    world.projected().await;
    let (mut keys, mut ranks, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let page = world.search(SearchQuery { limit: Some(10), cursor, ..asking("needle") }).await;
        ranks.extend(page.hits.iter().map(|hit| hit.rank));
        keys.extend(page.hits.into_iter().map(|hit| hit.key));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 57);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 57);
    assert!(ranks.is_sorted());
}
