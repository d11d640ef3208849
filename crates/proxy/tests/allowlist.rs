//! The allowlist against a model that never parses a URL, over URLs written in every way that means the same, and over
//! pieces thrown together. `HEADWATER_SEED` repeats a run.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use headwater_proxy::{Allowlist, UrlPattern};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const ROUNDS: usize = 60_000;

fn seeded(test: &str) -> StdRng {
    let seed = std::env::var("HEADWATER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("{test}: HEADWATER_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// A URL, taken apart.
#[derive(Debug, Clone)]
struct Target {
    scheme: &'static str,
    host: Vec<&'static str>,
    port: u16,
    path: Vec<&'static str>,
}

/// A pattern, taken apart.
#[derive(Debug, Clone)]
struct Rule {
    scheme: Option<&'static str>,
    wildcard: bool,
    host: Vec<&'static str>,
    port: RulePort,
    path: RulePath,
}

#[derive(Debug, Clone, Copy)]
enum RulePort {
    Default,
    Any,
    Exact(u16),
}

#[derive(Debug, Clone)]
enum RulePath {
    Any,
    Exact(Vec<&'static str>),
    Prefix(Vec<&'static str>),
}

const SCHEMES: [&str; 2] = ["http", "https"];
const PORTS: [u16; 4] = [80, 443, 8080, 65535];
const LABELS: [&str; 4] = ["a", "b", "api", "com"];
const SEGMENTS: [&str; 4] = ["v1", "v12", "x", "admin"];

fn names(rng: &mut StdRng, from: &[&'static str], min: usize, max: usize) -> Vec<&'static str> {
    (0..rng.random_range(min..=max)).map(|_| *from.choose(rng).unwrap()).collect()
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

impl Target {
    fn random(rng: &mut StdRng) -> Self {
        let scheme = *SCHEMES.choose(rng).unwrap();
        let port = if rng.random() { default_port(scheme) } else { *PORTS.choose(rng).unwrap() };
        Self { scheme, host: names(rng, &LABELS, 1, 4), port, path: names(rng, &SEGMENTS, 0, 3) }
    }

    /// One of the many ways to write it.
    fn written(&self, rng: &mut StdRng) -> String {
        let mut host = self.host.join(".");
        match rng.random_range(0..4) {
            0 => host = host.to_uppercase(),
            1 => host = host.replacen('a', "%61", 1),
            2 => host = host.replace('.', "\u{3002}"),
            _ => {}
        }
        let is_default = self.port == default_port(self.scheme);
        let port = if is_default && rng.random() { String::new() } else { format!(":{}", self.port) };
        let mut path = String::new();
        for segment in &self.path {
            match rng.random_range(0..6) {
                0 => path += "/.",
                1 => path += "/gone/..",
                2 => path += "/gone/%2E%2e",
                3 => path += "/%2e",
                _ => {}
            }
            path.push(if rng.random_range(0..8) == 0 { '\\' } else { '/' });
            path += segment;
        }
        let scheme = if rng.random() { self.scheme.to_uppercase() } else { self.scheme.to_owned() };
        let query = ["", "?x=/../../admin", "?u=https://evil.example/", "#/../admin"].choose(rng).unwrap();
        let mut url = format!("{scheme}://{host}{port}{}{query}", if path.is_empty() { "/" } else { &path });
        if rng.random_range(0..8) == 0 {
            url.insert(rng.random_range(0..scheme.len()), '\t');
        }
        url
    }
}

impl Rule {
    /// One that has something to do with the target, more often than not.
    fn random(rng: &mut StdRng, target: &Target) -> Self {
        let wildcard = rng.random();
        let host = match rng.random_range(0..3) {
            0 => names(rng, &LABELS, 1, 3),
            1 => target.host.clone(),
            _ => target.host[rng.random_range(0..target.host.len())..].to_vec(),
        };
        let port = match rng.random_range(0..4) {
            0 => RulePort::Any,
            1 => RulePort::Exact(*PORTS.choose(rng).unwrap()),
            2 => RulePort::Exact(target.port),
            _ => RulePort::Default,
        };
        let near = target.path[..rng.random_range(0..=target.path.len())].to_vec();
        let path = match rng.random_range(0..4) {
            0 => RulePath::Any,
            1 => RulePath::Exact(if rng.random() { target.path.clone() } else { names(rng, &SEGMENTS, 1, 3) }),
            2 => RulePath::Prefix(names(rng, &SEGMENTS, 1, 2)),
            _ => RulePath::Prefix(near),
        };
        let scheme = rng.random::<bool>().then(|| *SCHEMES.choose(rng).unwrap());
        Self { scheme, wildcard, host, port, path }
    }

    fn written(&self, rng: &mut StdRng) -> String {
        let scheme = self.scheme.map_or(String::new(), |scheme| format!("{scheme}://"));
        let wildcard = if self.wildcard { "*." } else { "" };
        let port = match self.port {
            RulePort::Default => String::new(),
            RulePort::Any => ":*".to_owned(),
            RulePort::Exact(port) => format!(":{port}"),
        };
        let joined = |path: &[&str]| path.iter().map(|segment| format!("/{segment}")).collect::<String>();
        let path = match &self.path {
            RulePath::Any => String::new(),
            RulePath::Exact(path) if path.is_empty() => "/".to_owned(),
            RulePath::Exact(path) => joined(path),
            RulePath::Prefix(path) => joined(path) + if rng.random() { "/*" } else { "/**" },
        };
        format!("{scheme}{wildcard}{}{port}{path}", self.host.join("."))
    }

    fn allows(&self, target: &Target) -> bool {
        let host = match self.wildcard {
            true => target.host.len() > self.host.len() && target.host.ends_with(&self.host),
            false => target.host == self.host,
        };
        let port = match self.port {
            RulePort::Default => target.port == default_port(target.scheme),
            RulePort::Any => true,
            RulePort::Exact(port) => target.port == port,
        };
        let path = match &self.path {
            RulePath::Any => true,
            RulePath::Exact(path) => target.path == *path,
            RulePath::Prefix(path) => target.path.starts_with(path),
        };
        self.scheme.is_none_or(|scheme| scheme == target.scheme) && host && port && path
    }
}

fn list(pattern: &str) -> Allowlist {
    Allowlist::new(vec![pattern.parse::<UrlPattern>().unwrap_or_else(|error| panic!("{error}"))])
}

#[test]
fn the_list_agrees_with_the_model_however_a_url_is_written() {
    let rng = &mut seeded("however a url is written");
    let mut allowed = 0;
    for _ in 0..ROUNDS {
        let target = Target::random(rng);
        let rule = Rule::random(rng, &target);
        let (pattern, url) = (rule.written(rng), target.written(rng));
        let expected = rule.allows(&target);
        assert_eq!(list(&pattern).check(&url).is_ok(), expected, "{pattern} and {url:?}: {rule:?} {target:?}");
        allowed += usize::from(expected);
    }
    assert!(allowed > ROUNDS / 50, "{allowed} of {ROUNDS} were allowed: too few to tell");
}

const PIECES: [&str; 40] = [
    "http",
    "https",
    "HTTPS",
    "ftp",
    ":",
    ":",
    "//",
    "//",
    "/",
    "/",
    "\\",
    "@",
    "a.example",
    "a.example",
    "A.EXAMPLE",
    "evil.example",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    "%2f",
    "%5c",
    "%252f",
    "%00",
    "#",
    "?",
    "[::1]",
    "127.0.0.1",
    "2130706433",
    ":443",
    ":80",
    "\t",
    "\n",
    " ",
    "\u{3002}",
    "\u{ff0f}",
    "\u{2025}",
    "v1",
    "v1",
    ";",
];

#[test]
fn whatever_is_thrown_at_it_nothing_leaves_the_list() {
    let rng = &mut seeded("whatever is thrown at it");
    let list = list("https://a.example/v1/*");
    let mut allowed = 0;
    for _ in 0..ROUNDS {
        let begin = ["", "https://", "https://a.example", "https://a.example/v1", "https://a.example/v1/"];
        let mut url = (*begin.choose(rng).unwrap()).to_owned();
        for _ in 0..rng.random_range(0..8) {
            url += PIECES.choose(rng).unwrap();
        }
        let Ok(called) = list.check(&url) else { continue };
        allowed += 1;
        let rest = called.as_str().strip_prefix("https://a.example/v1").unwrap_or_else(|| panic!("{url:?} {called}"));
        assert!(rest.is_empty() || rest.starts_with(['/', '?', '#']), "{url:?} {called}");
        let path = rest.split(['?', '#']).next().unwrap();
        let decoded = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
        let mut segments = decoded.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap());
        assert!(!segments.any(|segment| segment == ".."), "{url:?} {called}");
    }
    assert!(allowed > ROUNDS / 100, "{allowed} of {ROUNDS} were allowed: too few to tell");
}
