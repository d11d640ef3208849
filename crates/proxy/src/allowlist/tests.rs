use super::*;

fn list(patterns: &[&str]) -> Allowlist {
    Allowlist::new(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
}

fn allows(pattern: &str, url: &str) -> bool {
    list(&[pattern]).check(url).is_ok()
}

#[test]
fn an_empty_list_refuses_all() {
    assert_eq!(list(&[]).check("https://api.openai.com/"), Err(NotAllowed::NotListed));
}

#[test]
fn what_is_no_http_url_is_refused_whatever_the_list_says() {
    let list = list(&["a.example", "localhost:*"]);
    for text in ["", "a.example", "//a.example/", "https://", "ftp://a.example/", "file:///a.example", "javascript:1"] {
        assert_eq!(list.check(text), Err(NotAllowed::NotHttp), "{text}");
    }
    assert_eq!(list.check("https://u:p@a.example/"), Err(NotAllowed::Credentials));
    assert_eq!(list.check("https://u@a.example/"), Err(NotAllowed::Credentials));
    assert!(list.check("https://a.example@evil.example/").is_err());
    assert!(list.check("https://a.example\\@evil.example/").is_ok(), "the host ends at the backslash: a.example");
}

#[test]
fn a_pattern_without_a_scheme_takes_both() {
    assert!(allows("a.example", "http://a.example/x") && allows("a.example", "https://a.example/x"));
    assert!(!allows("https://a.example", "http://a.example/"));
    assert!(allows("HTTPS://A.Example", "https://a.example/"));
}

#[test]
fn a_host_is_exact_in_any_case_and_any_script() {
    assert!(allows("https://api.openai.com/**", "https://API.OpenAI.com/v1"));
    assert!(allows("https://bücher.example", "https://xn--bcher-kva.example/"));
    assert!(allows("https://xn--bcher-kva.example", "https://BÜCHER.example/"));
    for other in
        ["api.openai.com.evil.example", "xapi.openai.com", "openai.com", "api.openai.com.", "api\u{3002}evil.com"]
    {
        assert!(!allows("https://api.openai.com", &format!("https://{other}/")), "{other}");
    }
}

#[test]
fn a_wildcard_takes_subdomains_and_not_the_domain() {
    assert!(allows("*.example.com", "https://a.example.com/") && allows("*.example.com", "https://a.b.example.com/"));
    for other in ["example.com", "aexample.com", "example.com.evil.org", ".example.com"] {
        assert!(!allows("*.example.com", &format!("https://{other}/")), "{other}");
    }
}

#[test]
fn default_ports_are_no_ports() {
    assert!(
        allows("https://a.example", "https://a.example:443/") && allows("https://a.example:443", "https://a.example/")
    );
    assert!(allows("a.example:443", "https://a.example/") && allows("a.example:443", "http://a.example:443/"));
    assert!(
        !allows("https://a.example", "https://a.example:8443/") && !allows("http://a.example", "http://a.example:443/")
    );
    assert!(allows("a.example:8080", "http://a.example:8080/") && !allows("a.example:8080", "http://a.example/"));
    assert!(allows("a.example:*", "http://a.example:9/") && allows("a.example:*", "https://a.example/"));
}

#[test]
fn a_path_is_exact_or_a_prefix_of_whole_segments() {
    for pattern in ["https://a.example/v1/*", "https://a.example/v1/**"] {
        for path in ["/v1", "/v1/", "/v1/a", "/v1/a/b", "/v1/a?x=/../..", "/x/../v1/a", "/v1/%41"] {
            assert!(allows(pattern, &format!("https://a.example{path}")), "{path}");
        }
        for path in ["/", "/v12", "/v1/../admin", "/v1/%2e%2e/admin", "/V1/a", "/v1%2fa", "/v1/.%2E/admin"] {
            assert!(!allows(pattern, &format!("https://a.example{path}")), "{path}");
        }
    }
    assert!(
        allows("https://a.example/v1", "https://a.example/v1?x")
            && !allows("https://a.example/v1", "https://a.example/v1/")
    );
    assert!(allows("https://a.example/*", "https://a.example/a%2fb"));
}

#[test]
fn a_prefix_cannot_be_left_by_what_some_server_may_decode() {
    for path in ["x%2f..%2f..%2fadmin", "x%5c..%5cadmin", "%252e%252e/admin", "..;/admin", "..;x=1/admin", "x%00"] {
        assert!(!allows("https://a.example/v1/*", &format!("https://a.example/v1/{path}")), "{path}");
    }
}

#[test]
fn addresses_are_compared_as_addresses() {
    for url in ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/"] {
        assert!(allows("http://127.0.0.1", url), "{url}");
        assert!(!allows("http://10.0.0.1", url) && !allows("http://localhost", url), "{url}");
    }
    assert!(allows("http://[::1]:8080/**", "http://[0:0:0:0:0:0:0:1]:8080/x"));
    assert!(!allows("http://[::1]", "http://[::ffff:127.0.0.1]/") && !allows("http://127.0.0.1", "http://[::1]/"));
    assert!("*.0.0.1".parse::<UrlPattern>().is_err(), "an address has no subdomains");
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in [
        "",
        "*",
        "*.",
        "**.a",
        "a.*",
        "a*.example",
        "ftp://a.example",
        "https://",
        "https:///x",
        "u@a.example",
        "a.example:",
        "a.example:x",
        "a.example:99999",
        "a.example/x/*/y",
        "a.example/x*",
        "a.example/x?y",
        "a.example/#x",
        "a example",
        "a.example/../x",
        "a.example/%2e%2e/*",
        "a.example/x%2fy/*",
        "[::1",
        "a.example:80:90",
        "https://a\\b",
    ] {
        assert!(text.parse::<UrlPattern>().is_err(), "{text:?}");
    }
}
