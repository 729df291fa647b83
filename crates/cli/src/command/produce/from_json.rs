//! Records in JSON, one a line, as `consume --format json` prints them.

use bytes::Bytes;
use client::{ProducerRecord, Timestamp};
use serde_json::{Map, Value};

use crate::print::json::unbase64;

/// Reads a record. Where it was before (`topic`, `partition`, `offset`) is passed over; where it goes now is not for it to
/// say. A name that no record has is refused, as a value under a mistyped name would be lost.
pub fn read(line: &[u8]) -> Result<ProducerRecord, String> {
    let mut members = match serde_json::from_slice(line) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Err("it is JSON, but no object".to_owned()),
        Err(error) => {
            let reason = error.to_string();
            // Which line it is says the number of the record.
            let reason = reason.split(" at line ").next().unwrap_or_default();
            let column = error.column();
            return Err(format!(
                "it is no JSON in one line: {reason} at column {column}; `jq -c` puts what has several lines into one"
            ));
        }
    };
    for passed_over in ["topic", "partition", "offset"] {
        members.remove(passed_over);
    }
    let record = ProducerRecord {
        key: bytes(&mut members, "key")?.unwrap_or_default(),
        value: bytes(&mut members, "value")?.ok_or("it has no value; null as a value deletes the key")?,
        timestamp: members
            .remove("timestamp")
            .filter(|time| !time.is_null())
            .as_ref()
            .map(timestamp)
            .transpose()?,
        headers: headers(members.remove("headers"))?,
        ..ProducerRecord::default()
    };
    nothing_else(&members)?;
    Ok(record)
}

/// A member that is text under its own name, bytes in base64 under another one, or null; nothing if it is not there.
fn bytes(members: &mut Map<String, Value>, name: &str) -> Result<Option<Option<Bytes>>, String> {
    let encoded = format!("{name}_base64");
    match (members.remove(name), members.remove(&encoded)) {
        (Some(_), Some(_)) => Err(format!("it has both {name} and {encoded}")),
        (Some(Value::Null), None) => Ok(Some(None)),
        (Some(Value::String(text)), None) => Ok(Some(Some(text.into()))),
        (Some(_), None) => Err(format!("its {name} is neither a string nor null")),
        (None, Some(Value::String(text))) => {
            let bytes = unbase64(text.as_bytes()).ok_or_else(|| format!("its {encoded} is no base64"))?;
            Ok(Some(Some(bytes.into())))
        }
        (None, Some(_)) => Err(format!("its {encoded} is no string")),
        (None, None) => Ok(None),
    }
}

fn timestamp(value: &Value) -> Result<Timestamp, String> {
    value.as_i64().map(Timestamp).ok_or("its timestamp is no whole number of milliseconds".to_owned())
}

fn headers(value: Option<Value>) -> Result<Vec<(String, Option<Bytes>)>, String> {
    let headers = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(headers)) => headers,
        Some(_) => return Err("its headers are no list".to_owned()),
    };
    headers.into_iter().map(header).collect()
}

fn header(value: Value) -> Result<(String, Option<Bytes>), String> {
    let Value::Object(mut members) = value else {
        return Err("a header is an object with a key and a value".to_owned());
    };
    let Some(Value::String(key)) = members.remove("key") else {
        return Err("a header has no key, or one that is no string".to_owned());
    };
    let value = bytes(&mut members, "value")?.ok_or_else(|| format!("the header {key:?} has no value"))?;
    nothing_else(&members)?;
    Ok((key, value))
}

fn nothing_else(members: &Map<String, Value>) -> Result<(), String> {
    members.keys().next().map_or(Ok(()), |name| Err(format!("{name:?} is nothing that a record has")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_with_all_that_it_has() {
        let line =
            br#"{"topic":"t","partition":3,"offset":7,"timestamp":1000,"key_base64":"//4=","value":"v",
            "headers":[{"key":"a","value":"1"},{"key":"a","value":null},{"key":"b","value_base64":"/w"}]}"#;
        let record = read(line).expect("it is a record");
        assert_eq!((record.key, record.value), (Some(Bytes::from_static(b"\xff\xfe")), Some("v".into())));
        assert_eq!((record.partition, record.timestamp), (None, Some(Timestamp(1000))));
        let header = |key: &str, value| (key.to_owned(), value);
        let headers =
            [header("a", Some("1".into())), header("a", None), header("b", Some(vec![0xff].into()))];
        assert_eq!(record.headers, headers);
    }

    #[test]
    fn no_key_is_none_and_null_is_a_tombstone() {
        let record = read(br#"{"value":null}"#).expect("it is a record");
        assert_eq!((record.key, record.value, record.timestamp), (None, None, None));
        assert_eq!(read(br#"{"value":""}"#).expect("it is a record").value, Some(Bytes::new()));
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for wrong in [
            "",
            "text",
            "[1]",
            "{",
            "{}",
            r#"{"vaule":"v"}"#,
            r#"{"value":1}"#,
            r#"{"value":"v","value_base64":"dg=="}"#,
            r#"{"value_base64":"*"}"#,
            r#"{"value":"v","timestamp":"now"}"#,
            r#"{"value":"v","headers":{"a":"b"}}"#,
            r#"{"value":"v","headers":[{"value":"b"}]}"#,
            r#"{"value":"v","headers":[{"key":"a"}]}"#,
            r#"{"value":"v","more":1}"#,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
