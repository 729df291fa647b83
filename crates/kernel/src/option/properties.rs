//! The `.properties` format, by the rules of Java's `Properties`, with the line of each key.

use std::fmt;

use crate::limits::MAX_PROPERTIES_BYTES;

/// A key with its value, and the line (from 1) on which the key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: String,
    pub line: u32,
}

/// A file that cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertiesError {
    pub line: u32,
    pub reason: &'static str,
}

impl fmt::Display for PropertiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for PropertiesError {}

/// The text of a file: UTF-8, or else Latin-1 as in Java.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Reads every key of `text` in order. A key that stands there twice comes back twice.
pub fn parse(text: &str) -> Result<Vec<Entry>, PropertiesError> {
    if text.len() > MAX_PROPERTIES_BYTES {
        return Err(PropertiesError { line: 1, reason: "the file is larger than 4 MiB" });
    }
    let mut entries = Vec::new();
    let mut lines = Lines { rest: text, line: 0 };
    while let Some(first) = lines.next() {
        let start = lines.line;
        let first = first.trim_start_matches(is_space);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        // A comment never continues, but a line that continues may look like one.
        while ends_open(&logical) {
            logical.pop();
            match lines.next() {
                Some(next) => logical.push_str(next.trim_start_matches(is_space)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let unescape =
            |text| unescape(text).ok_or(PropertiesError { line: start, reason: "\\u needs four hex digits" });
        entries.push(Entry { key: unescape(key)?, value: unescape(value)?, line: start });
    }
    Ok(entries)
}

/// The lines of a text, ended by `\n`, `\r` or both.
struct Lines<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest) = match self.rest.split_once(['\n', '\r']) {
            Some((line, rest)) => {
                let ended_by_cr = self.rest.as_bytes().get(line.len()) == Some(&b'\r');
                (line, if ended_by_cr { rest.strip_prefix('\n').unwrap_or(rest) } else { rest })
            }
            None => (self.rest, ""),
        };
        self.rest = rest;
        Some(line)
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Whether the line goes on: an odd number of backslashes ends it.
fn ends_open(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Splits at the first `=`, `:` or space that no backslash guards.
fn split(line: &str) -> (&str, &str) {
    let mut guarded = false;
    let end = line.find(|c: char| {
        let ends = !guarded && (matches!(c, '=' | ':') || is_space(c));
        guarded = c == '\\' && !guarded;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_space);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_space))
}

/// Resolves escapes. `None` when a `\u` is not followed by four hex digits.
fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let valid = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| valid)?);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            plain => plain,
        };
        flush(&mut units, &mut out);
        out.push(plain);
    }
    flush(&mut units, &mut out);
    Some(out)
}

/// Two `\u` in a row may be one character outside of the first 65,536.
fn flush(units: &mut Vec<u16>, out: &mut String) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("readable").into_iter().map(|entry| (entry.key, entry.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut all = pairs(text);
        assert_eq!(all.len(), 1, "{text:?}");
        all.remove(0)
    }

    #[test]
    fn equals_colon_and_space_all_separate() {
        for text in ["a=b", "a:b", "a b", "a = b", "  a\t:\t b", "a   b", "a\u{c}=b"] {
            assert_eq!(one(text), ("a".to_owned(), "b".to_owned()), "{text:?}");
        }
        assert_eq!(one("a==b"), ("a".to_owned(), "=b".to_owned()));
        assert_eq!(one("a"), ("a".to_owned(), String::new()));
        assert_eq!(one("=b"), (String::new(), "b".to_owned()));
    }

    #[test]
    fn space_after_a_value_belongs_to_it() {
        assert_eq!(one("a=b  "), ("a".to_owned(), "b  ".to_owned()));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        assert_eq!(pairs("# one\n! two\n\n   \n  # three \\\na=1\n"), vec![("a".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn a_backslash_continues_the_line_and_eats_the_indent() {
        assert_eq!(one("a=b,\\\n    c,\\\r\n\td"), ("a".to_owned(), "b,c,d".to_owned()));
        assert_eq!(one("a=b\\\n# no comment"), ("a".to_owned(), "b# no comment".to_owned()));
        assert_eq!(pairs("a=b\\\\\nc=d").len(), 2, "an escaped backslash does not continue");
        assert_eq!(one("a=b\\"), ("a".to_owned(), "b".to_owned()));
    }

    #[test]
    fn escapes_are_resolved_in_keys_and_values() {
        assert_eq!(one("a\\ b\\:c\\=d=x\\ty\\nz"), ("a b:c=d".to_owned(), "x\ty\nz".to_owned()));
        assert_eq!(one("a=C:\\\\data\\q"), ("a".to_owned(), "C:\\dataq".to_owned()));
        assert_eq!(one("a=\\u00e4\\uD83D\\uDE00!"), ("a".to_owned(), "ä😀!".to_owned()));
    }

    #[test]
    fn a_broken_unicode_escape_names_its_line() {
        let error = parse("a=1\nb=\\u12x4").expect_err("broken");
        assert_eq!(error.line, 2);
        assert_eq!(parse("b=\\u+123").expect_err("a sign is no digit").line, 1);
    }

    #[test]
    fn lines_are_counted_across_continuations_and_all_line_ends() {
        let entries = parse("a=1\r\n\rb=2,\\\n3\n\nc=4").expect("readable");
        let lines: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(lines, [("a", 1), ("b", 3), ("c", 6)]);
    }

    #[test]
    fn a_key_that_stands_twice_comes_twice() {
        assert_eq!(pairs("a=1\na=2").len(), 2);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_latin_1() {
        assert_eq!(decode(b"a=\xe4"), "a=ä");
        assert_eq!(decode("a=ä".as_bytes()), "a=ä");
    }

    #[test]
    fn no_text_makes_it_panic_or_lose_count_of_lines() {
        let letters = ['a', '=', ':', ' ', '\\', '\n', '\r', '#', '!', 'u', '0', 'ä', '\t', '\u{c}'];
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..state % 24 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push(letters[(state >> 33) as usize % letters.len()]);
            }
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let lines = u32::try_from(text.matches(['\n', '\r']).count() + 1).expect("few");
            for entry in parse(&text).into_iter().flatten() {
                assert!((1..=lines).contains(&entry.line), "{text:?}");
            }
        }
    }
}
