//! Results as YAML: what JSON says, in blocks.

use std::io::{self, Write};

use serde_json::Value;

use super::json::escaped;

/// Prints one value as a document.
pub fn print(value: &Value) -> io::Result<()> {
    io::stdout().lock().write_all(text(value).as_bytes())
}

/// One value as lines.
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

/// Writes a value that begins a line of its own.
fn write(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                after_dash(out, item, indent + 2);
            }
        }
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&" ".repeat(indent));
                entry(out, key, value, indent);
            }
        }
        scalar => {
            out.push_str(&" ".repeat(indent));
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

/// Writes an item, whose first line has begun with its dash.
fn after_dash(out: &mut String, item: &Value, indent: usize) {
    match item {
        Value::Object(entries) if !entries.is_empty() => {
            for (place, (key, value)) in entries.iter().enumerate() {
                if place > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                entry(out, key, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(out, item, indent);
        }
        scalar => {
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

fn entry(out: &mut String, key: &str, value: &Value, indent: usize) {
    out.push_str(&scalar_text(&Value::from(key)));
    out.push(':');
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(out, value, indent + 2);
        }
        Value::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            write(out, value, indent + 2);
        }
        scalar => {
            out.push(' ');
            out.push_str(&scalar_text(scalar));
            out.push('\n');
        }
    }
}

/// Text that could be taken for something else is quoted; JSON's quotes are YAML's double ones.
fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        // Some of these would end a line of YAML.
        other => escaped(&other.to_string(), |c| format!("\\U{:08x}", u32::from(c))),
    }
}

fn is_plain(text: &str) -> bool {
    let means_something = matches!(
        text.to_ascii_lowercase().as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.chars().all(safe)
        && !means_something
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_in_blocks() {
        let mut text = String::new();
        let value = json!({
            "a": [{ "b": 1, "c": [] }, "plain", [1, 2]],
            "d": { "e": null, "f": "with: colon", "g": "12", "h": "no" },
        });
        write(&mut text, &value, 0);
        assert_eq!(
            text,
            "a:\n  - b: 1\n    c: []\n  - plain\n  - \n    - 1\n    - 2\n\
             d:\n  e: null\n  f: \"with: colon\"\n  g: \"12\"\n  h: \"no\"\n"
        );
    }

    #[test]
    fn what_would_end_a_line_or_cannot_be_seen_is_escaped() {
        let text = text(&json!({ "a": "\u{85}b\u{202e}", "\u{2028}": "c\nd" }));
        assert_eq!(text, "a: \"\\U00000085b\\U0000202e\"\n\"\\U00002028\": \"c\\nd\"\n");
    }
}
