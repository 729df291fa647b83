//! Results for programs.

use std::io::{self, Write};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use serde_json::Value;

use super::text::is_hidden;

/// Prints one value over several lines.
pub fn print(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", escaped(&format!("{value:#}"), utf16))
}

/// Writes what JSON lets stand, and nobody can see, as escapes. It is in strings alone: what lies between values are blanks and
/// ends of lines.
pub fn escaped(text: &str, escape: fn(char) -> String) -> String {
    let show = |c: char| if is_hidden(c) && c != '\n' { escape(c) } else { c.to_string() };
    text.chars().map(show).collect()
}

/// A character as JSON escapes it, which has it in two where it is a large one.
fn utf16(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Bytes as JSON has them: a string if they are UTF-8, and base64 under another name if not.
pub fn bytes(object: &mut serde_json::Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), Value::from(text)),
        Some(Err(_)) => object.insert(format!("{name}_base64"), base64(bytes.unwrap_or_default()).into()),
    };
}

/// Bytes in base64, padded to groups of four.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes that base64 means, with its padding or without.
pub fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_base64_under_a_name_that_says_so() {
        let mut object = serde_json::Map::new();
        bytes(&mut object, "a", Some(b"text"));
        bytes(&mut object, "b", Some(&[0xff, 0xfe]));
        bytes(&mut object, "c", None);
        assert_eq!(Value::from(object).to_string(), r#"{"a":"text","b_base64":"//4=","c":null}"#);
    }

    #[test]
    fn what_cannot_be_seen_is_escaped_and_read_back() {
        let value = Value::from(vec!["a\u{85}\u{9b}b\u{202e}\u{e0001}\n\u{1b}日"]);
        let text = escaped(&format!("{value:#}"), utf16);
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
    }

    #[test]
    fn base64_is_read_with_its_padding_or_without() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0xff, 0, 0xfe, 1]] {
            let text = base64(bytes);
            assert_eq!(text.len() % 4, 0, "{text}");
            assert_eq!(unbase64(text.as_bytes()).as_deref(), Some(bytes));
            assert_eq!(unbase64(text.trim_end_matches('=').as_bytes()).as_deref(), Some(bytes));
        }
        assert_eq!((unbase64(b"a"), unbase64(b"a*b=")), (None, None));
    }
}
