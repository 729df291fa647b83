//! Records as a template has them.

use client::ConsumerRecord;

use super::forms::{BytesForm, TimeForm, hex};
use super::{Field, Number, Piece, Template};
use crate::command::time::Zone;
use crate::print::json::base64;

impl Template {
    /// Writes a record, the `count`th of those that are printed.
    pub fn write(&self, out: &mut Vec<u8>, record: &ConsumerRecord, count: u64, zone: &Zone) {
        for piece in &self.0 {
            match piece {
                Piece::Headers(pieces) => {
                    for (name, value) in record.headers.iter() {
                        let value = value.unwrap_or_default();
                        pieces.iter().for_each(|piece| write_header(out, piece, name.as_bytes(), value));
                    }
                }
                piece => write_piece(out, piece, record, count, zone),
            }
        }
    }
}

fn write_piece(out: &mut Vec<u8>, piece: &Piece, record: &ConsumerRecord, count: u64, zone: &Zone) {
    let bytes = |field: &Field| match field {
        Field::Topic => record.topic.as_bytes(),
        Field::Key => record.key.as_deref().unwrap_or_default(),
        Field::Value => record.value.as_deref().unwrap_or_default(),
    };
    match piece {
        Piece::Text(text) => out.extend(text),
        Piece::Bytes(field, form) => write_bytes(out, bytes(field), form),
        Piece::Length(field, form) => form.write(out, length(bytes(field))),
        Piece::Number(number, form) => {
            let number = match number {
                Number::Partition => i64::from(record.partition),
                Number::Offset => record.offset.0,
                Number::LeaderEpoch => record.leader_epoch.map_or(-1, |epoch| i64::from(epoch.0)),
                Number::Headers => i64::try_from(record.headers.len()).unwrap_or(i64::MAX),
                Number::Count => i64::try_from(count).unwrap_or(i64::MAX),
            };
            form.write(out, number);
        }
        Piece::Time(TimeForm::Number(form)) => form.write(out, record.timestamp.0),
        Piece::Time(TimeForm::Date) => out.extend(zone.format(record.timestamp).bytes()),
        Piece::Time(TimeForm::Pattern(pattern)) => {
            pattern.write(out, zone.shown(record.timestamp).as_ref(), record.timestamp)
        }
        Piece::Headers(_) => {}
    }
}

/// Within a header's braces only its name and its value mean anything.
fn write_header(out: &mut Vec<u8>, piece: &Piece, name: &[u8], value: &[u8]) {
    let bytes = |field: &Field| match field {
        Field::Key => name,
        Field::Value => value,
        Field::Topic => b"",
    };
    match piece {
        Piece::Text(text) => out.extend(text),
        Piece::Bytes(field, form) => write_bytes(out, bytes(field), form),
        Piece::Length(field, form) => form.write(out, length(bytes(field))),
        Piece::Number(..) | Piece::Time(_) | Piece::Headers(_) => {}
    }
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8], form: &BytesForm) {
    match form {
        BytesForm::Raw => out.extend_from_slice(bytes),
        BytesForm::Hex => out.extend(hex(bytes).bytes()),
        BytesForm::Base64 => out.extend(base64(bytes).bytes()),
        BytesForm::Base64Raw => out.extend(base64(bytes).trim_end_matches('=').bytes()),
        BytesForm::Unpack(unpack) => unpack.write(out, bytes),
        BytesForm::Json => {
            out.extend(serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string().bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Offset, Timestamp};

    #[track_caller]
    fn check(template: &str, expected: &[u8]) {
        let record = ConsumerRecord {
            topic: "orders".into(),
            partition: 3,
            offset: Offset(258),
            timestamp: Timestamp(1000),
            leader_epoch: None,
            key: Some("a\"b".into()),
            value: None,
            headers: [("x", Some(&b"1"[..])), ("y", None)].into_iter().collect(),
        };
        let mut out = Vec::new();
        template.parse::<Template>().expect("it is right").write(&mut out, &record, 7, &Zone::UTC);
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected), "{template}");
    }

    #[test]
    fn records_are_written_as_the_template_says() {
        check("%i %t/%p@%o e%e %d %d{date}\\n", b"7 orders/3@258 e-1 1000 1970-01-01T00:00:01.000Z\n");
        check("%K:%k|%V:%v|", b"3:a\"b|0:|");
        check("%k{json} %k{hex} %k{base64}", b"\"a\\\"b\" 612262 YSJi");
        check("%H %h{%k=%v;}", b"2 x=1;y=;");
        check("%k{unpack[cB]} %k{base64raw} %V{bool} %h{%v{unpack[s]};}", b"a34 YSJi false 1;;");
        check(
            "%d{strftime[%F %T]} %d{strftime#{%H}#} %d{go[2006 Jan 2]}",
            b"1970-01-01 00:00:01 {00} 1970 Jan 1",
        );
        check("%o{big16}%o{little16}%o{hex16}", b"\x01\x02\x02\x010102");
    }
}
