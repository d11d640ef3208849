//! Holds `docs/configuration.md` to the list of options.
//!
//! With `HEADWATER_BLESS` set, the test writes the tables instead of comparing them.

use std::fmt::Write;
use std::path::PathBuf;

use super::setting::{Group, Setting};
use super::table::SETTINGS;

const BEGIN: &str = "<!-- options:begin -->\n";
const END: &str = "<!-- options:end -->\n";

fn tables() -> String {
    let mut out = String::new();
    for group in Group::ALL {
        write!(
            out,
            "\n## {}\n\n| option | default | accepts | what it does |\n| --- | --- | --- | --- |\n",
            group.title()
        )
        .unwrap();
        for setting in SETTINGS.iter().filter(|setting| setting.group == group) {
            out.push_str(&row(setting));
        }
    }
    out.push('\n');
    out
}

fn row(setting: &Setting) -> String {
    let Setting { key, help, .. } = setting;
    let default = match setting.default {
        "" => "not set".to_owned(),
        text => format!("`{text}`"),
    };
    let names = format!("`--{key}`<br>`{}`", setting.variable());
    format!("| {names} | {default} | {} | {} |\n", cell(&setting.kind.accepted()), cell(help))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*")
}

#[test]
fn the_configuration_page_lists_every_option_as_it_is() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page marks where the tables begin");
    let (shown, after) = rest.split_once(END).expect("the page marks where the tables end");
    if std::env::var_os("HEADWATER_BLESS").is_some() {
        std::fs::write(&page, format!("{before}{BEGIN}{}{END}{after}", tables())).unwrap();
    } else {
        assert_eq!(shown, tables(), "run the tests with HEADWATER_BLESS=1 to write docs/configuration.md");
    }
}
