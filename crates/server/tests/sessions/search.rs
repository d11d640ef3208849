use crate::api::{Api, is};

#[test]
fn search_without_an_index_says_how_to_get_one() {
    let api = Api::start();
    let refused = api.call("GET", "search?q=a", &serde_json::Value::Null);
    assert_eq!(crate::api::refusal(&refused), is(404, "SEARCH_OFF"));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("--sessions-sql"));
}
