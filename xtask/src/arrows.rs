//! The arrows between crates, as ARCHITECTURE.md draws them, held against `cargo metadata`.
//!
//! Only direct dependencies count: what a crate names in its manifest is what its code can name. Dev-dependencies may also
//! be the testing crate; everything else is held to the same arrows.

use std::process::Command;

use serde::Deserialize;

use crate::{Done, root, say};

/// What one crate may depend on among ours, and which libraries its walls keep out.
struct Rule {
    crate_name: &'static str,
    may_use: &'static [&'static str],
    never_uses: &'static [&'static str],
}

const TESTING: &str = "headwater-testing";
const OURS: &str = "headwater";

const RULES: &[Rule] = &[
    Rule {
        crate_name: "headwater-protocol",
        may_use: &[],
        never_uses: &["tokio", "hyper", "http", "axum", "rusqlite", "rustix", "reqwest"],
    },
    Rule {
        crate_name: "headwater-streams",
        may_use: &["headwater-protocol"],
        never_uses: &["hyper", "http", "axum", "tower", "rusqlite", "rustix", "reqwest"],
    },
    Rule {
        crate_name: "headwater-storage",
        may_use: &["headwater-protocol", "headwater-streams"],
        never_uses: &["serde_json", "hyper", "http", "axum", "tower", "reqwest"],
    },
    Rule {
        crate_name: "headwater-sessions",
        may_use: &["headwater-protocol", "headwater-streams"],
        never_uses: &["hyper", "http", "axum", "tower", "rusqlite", "rustix", "reqwest"],
    },
    Rule {
        crate_name: "headwater-proxy",
        may_use: &["headwater-protocol", "headwater-streams"],
        never_uses: &["hyper", "hyper-util", "axum", "tower", "rusqlite", "rustix", "clap"],
    },
    Rule {
        crate_name: "headwater-projection",
        may_use: &["headwater-protocol", "headwater-streams", "headwater-sessions"],
        never_uses: &["hyper", "http", "axum", "tower", "rustix", "reqwest", "clap"],
    },
    Rule {
        crate_name: "headwater-server",
        may_use: &["headwater-protocol", "headwater-streams", "headwater-sessions", "headwater-proxy"],
        never_uses: &["rusqlite", "clap"],
    },
    Rule {
        crate_name: "headwater-client",
        may_use: &["headwater-protocol"],
        never_uses: &["axum", "rusqlite", "clap"],
    },
    Rule {
        crate_name: "headwater",
        may_use: &[
            "headwater-protocol",
            "headwater-streams",
            "headwater-storage",
            "headwater-sessions",
            "headwater-proxy",
            "headwater-projection",
            "headwater-server",
            "headwater-client",
            "headwater-load",
        ],
        never_uses: &["axum", "rusqlite"],
    },
    Rule {
        crate_name: TESTING,
        may_use: &[
            "headwater-protocol",
            "headwater-streams",
            "headwater-storage",
            "headwater-sessions",
            "headwater-proxy",
            "headwater-server",
        ],
        never_uses: &[],
    },
    // These look at the servers from outside.
    Rule {
        crate_name: "headwater-load",
        may_use: &[],
        never_uses: &["hyper", "http", "axum", "reqwest", "rusqlite", "clap"],
    },
    Rule { crate_name: "headwater-bench", may_use: &["headwater-load"], never_uses: &["hyper", "axum", "rusqlite"] },
    Rule { crate_name: "xtask", may_use: &[], never_uses: &[] },
];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `None` for a normal dependency.
    kind: Option<String>,
}

pub(crate) fn check() -> Done {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    say(&format!("arrows: {} crates", metadata.packages.len()))?;
    Ok(metadata.packages.iter().flat_map(offences).collect())
}

fn offences(package: &Package) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.crate_name == package.name) else {
        return vec![format!(
            "{} has no arrows in xtask/src/arrows.rs; draw them there and in ARCHITECTURE.md",
            package.name
        )];
    };
    package.dependencies.iter().filter_map(|dependency| rule.offence(dependency)).collect()
}

impl Rule {
    fn offence(&self, dependency: &Dependency) -> Option<String> {
        let (name, dev) = (dependency.name.as_str(), dependency.kind.as_deref() == Some("dev"));
        if dev && (name == TESTING || !is_ours(name)) {
            return None;
        }
        if name == TESTING {
            return Some(format!("{} uses {TESTING} outside its tests", self.crate_name));
        }
        if is_ours(name) && !self.may_use.contains(&name) {
            let allowed = if self.may_use.is_empty() { "none of ours".to_owned() } else { self.may_use.join(", ") };
            return Some(format!("{} must not depend on {name}; it may use {allowed}", self.crate_name));
        }
        self.never_uses.contains(&name).then(|| format!("{} must not depend on {name}", self.crate_name))
    }
}

fn is_ours(name: &str) -> bool {
    name == OURS || name.starts_with("headwater-") || name == "xtask"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(package: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let dependency = Dependency { name: dependency.to_owned(), kind: kind.map(str::to_owned) };
        offences(&Package { name: package.to_owned(), dependencies: vec![dependency] })
    }

    #[test]
    fn arrows_point_one_way_only() {
        assert!(found("headwater-storage", "headwater-streams", None).is_empty());
        assert_eq!(found("headwater-streams", "headwater-storage", None).len(), 1);
        assert_eq!(found("headwater-server", "headwater-storage", Some("dev")).len(), 1);
    }

    #[test]
    fn the_testing_crate_is_for_tests_alone() {
        assert!(found("headwater-streams", TESTING, Some("dev")).is_empty());
        assert_eq!(found("headwater-streams", TESTING, None).len(), 1);
    }

    #[test]
    fn walls_keep_libraries_out_of_products_but_not_out_of_tests() {
        assert_eq!(found("headwater-protocol", "tokio", None).len(), 1);
        assert!(found("headwater-protocol", "tokio", Some("dev")).is_empty());
    }

    #[test]
    fn a_crate_without_arrows_is_an_offence() {
        assert_eq!(found("headwater-surprise", "bytes", None).len(), 1);
    }
}
