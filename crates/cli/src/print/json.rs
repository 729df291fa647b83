//! Results for programs.

use std::io::{self, Write};

use serde_json::Value;

/// Prints one value over several lines.
pub fn print(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value:#}")
}

/// Bytes as JSON has them: a string if they are UTF-8, and base64 under another name if not.
pub fn bytes(object: &mut serde_json::Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), Value::from(text)),
        Some(Err(_)) => object.insert(format!("{name}_base64"), base64(bytes.unwrap_or_default()).into()),
    };
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit =
                DIGITS.get((group >> (18 - place * 6) & 63) as usize).copied().map_or('A', char::from);
            // Two bytes take three digits.
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

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
    fn base64_pads_to_groups_of_four() {
        assert_eq!([base64(b""), base64(b"f"), base64(b"fo"), base64(b"foo")], ["", "Zg==", "Zm8=", "Zm9v"]);
    }
}
