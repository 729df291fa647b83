//! Text that somebody else has written, made fit to be read: names of groups and clients may hold anything.

/// A text on one line, which does nothing to a terminal.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { c.escape_default().collect() } else { c.to_string() }).collect()
}

/// The same of a text that may have several lines.
pub fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
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
}
