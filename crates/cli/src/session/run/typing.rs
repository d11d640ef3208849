//! What viewers type, into the program.

use std::io::Write;

use headwater_client::sessions::{Channel, Fed, SessionFeed, TerminalKind, TerminalLine, TerminalSource};

use super::pty::Keyboard;

/// Types what people send from now on, each line once, until the session or the program ends.
pub(super) async fn type_what_viewers_send(mut feed: SessionFeed, keyboard: Keyboard) {
    while let Some(fed) = feed.next().await {
        let Fed::Event(event) = fed else { continue };
        if event.channel != Channel::Terminal {
            continue;
        }
        let Some(line) = event.row::<TerminalLine>() else { continue };
        if line.kind != TerminalKind::Input || line.source != TerminalSource::User {
            continue;
        }
        let keyboard = keyboard.clone();
        let typed = tokio::task::spawn_blocking(move || keyboard.lock().write_all(keys(&line.data).as_bytes())).await;
        // Nobody reads any more: the program has ended.
        if !matches!(typed, Ok(Ok(()))) {
            break;
        }
    }
}

/// A line, with the key that ends it. What is nothing but control keys is typed as it is.
fn keys(data: &str) -> String {
    let is_whole = data.ends_with(['\r', '\n']) || data.starts_with('\u{1b}') || data.chars().all(char::is_control);
    if is_whole && !data.is_empty() { data.replace("\r\n", "\r").replace('\n', "\r") } else { format!("{data}\r") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ended_and_a_key_is_not() {
        for (sent, typed) in [
            ("git log", "git log\r"),
            ("", "\r"),
            ("y\n", "y\r"),
            ("a\r\nb", "a\r\nb\r"),
            ("\u{3}", "\u{3}"),
            ("\u{1b}[A", "\u{1b}[A"),
        ] {
            assert_eq!(keys(sent), typed, "{sent:?}");
        }
    }
}
