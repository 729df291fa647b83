//! Text that somebody else has written, made fit to be read: names of groups and clients may hold anything.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text on one line, which does nothing to a terminal.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { c.escape_default().collect() } else { c.to_string() }).collect()
}

/// The same of a text that may have several lines.
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// How many columns of a terminal a text takes: characters of East Asia take two.
pub fn width(text: &str) -> usize {
    text.width()
}

/// As much of a text as so many columns hold, with a mark where some is missing.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |c: &char| match room.checked_sub(c.width().unwrap_or(0)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// What cannot be seen: it tells a terminal what to do, or changes how other characters are shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_format(c)
}

/// Unicode's category Cf, and the separators of lines and paragraphs.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_holds_neither_ends_a_line_nor_reaches_the_terminal() {
        assert_eq!(visible("a\nb\x1b[2Jü"), "a\\nb\\u{1b}[2Jü");
        assert_eq!(visible("a\r\u{202e}b\u{9b}日"), "a\\r\\u{202e}b\\u{9b}日");
        assert_eq!(visible_lines("a\nb\x07"), "a\nb\\u{7}");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!((width("日本語"), width("abc"), width("e\u{301}")), (6, 3, 1));
        assert_eq!(
            (cut("日本語", 6), cut("日本語", 5), cut("日本語", 4)),
            ("日本語".into(), "日本…".into(), "日…".into())
        );
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
