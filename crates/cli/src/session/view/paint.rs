//! Colours, for terminals only.

use std::io::IsTerminal as _;

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Colours,
}

/// What a text is, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Who speaks.
    Name(u8),
    Dim,
    Bold,
    Good,
    Bad,
    Alert,
}

impl Paint {
    /// What was asked for; for `auto`, colours on a terminal that can show them, unless `NO_COLOR` says otherwise.
    pub(crate) fn of(choice: &str) -> Self {
        let is_wanted = match choice {
            "always" => true,
            "never" => false,
            _ => {
                let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
            }
        };
        if is_wanted { Self::Colours } else { Self::Plain }
    }

    /// `text` as it is to look.
    pub(crate) fn paint(self, look: Look, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let code = match look {
            Look::Name(number) => format!("1;{}", 31 + number % NAME_COLOURS),
            Look::Dim => "2".to_owned(),
            Look::Bold => "1".to_owned(),
            Look::Good => "32".to_owned(),
            Look::Bad => "31".to_owned(),
            Look::Alert => "33".to_owned(),
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A name, always in the same colour.
    pub(crate) fn name(self, name: &str) -> String {
        let number = name.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        self.paint(Look::Name(number), name)
    }
}

/// Red to cyan.
const NAME_COLOURS: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_end_where_the_text_does_and_plain_is_plain() {
        assert_eq!(Paint::Colours.paint(Look::Bad, "no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(Paint::Plain.paint(Look::Bad, "no"), "no");
        assert_eq!(Paint::Colours.name("wren"), Paint::Colours.name("wren"));
        assert_eq!((Paint::of("always"), Paint::of("never")), (Paint::Colours, Paint::Plain));
    }
}
