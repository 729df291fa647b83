//! Records as a template has them.

use std::io;

use client::{ConsumerRecord, Offset, Origin};
use serde_json::{Value, json};

use super::forms::{
    AttributeForm, BytesForm, JSON_BASE64, JSON_NULL, NULL_LENGTH, NumberForm, TimeForm, write_hex,
};
use super::{Around, Attribute, Field, Number, Piece, Template};
use crate::print::json::base64;

impl Template {
    /// Whether it says where partitions begin or end.
    pub fn has_bounds(&self) -> bool {
        let is_bound =
            |number: &Number| matches!(number, Number::LogStart | Number::LastStable | Number::HighWatermark);
        self.0.iter().any(|piece| matches!(piece, Piece::Number(number, _) if is_bound(number)))
    }

    /// Writes a record; it fails if a length does not fit into the form that it is to have.
    pub fn write(&self, out: &mut Vec<u8>, record: &ConsumerRecord, around: Around<'_>) -> io::Result<()> {
        for (place, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Headers(pieces) => {
                    for (name, value) in record.headers.iter() {
                        write_header(out, pieces, name.as_bytes(), value)?;
                    }
                }
                Piece::Length(field, form) => {
                    write_length(out, *field, bytes_of(*field, record), *form, self.0.get(place..))?;
                }
                piece => write_piece(out, piece, record, around),
            }
        }
        Ok(())
    }
}

fn bytes_of(field: Field, record: &ConsumerRecord) -> Option<&[u8]> {
    match field {
        Field::Topic => Some(record.topic.as_bytes()),
        Field::Key => record.key.as_deref(),
        Field::Value => record.value.as_deref(),
    }
}

fn write_piece(out: &mut Vec<u8>, piece: &Piece, record: &ConsumerRecord, around: Around<'_>) {
    match piece {
        Piece::Text(text) => out.extend(text),
        Piece::Bytes(field, form) => write_bytes(out, bytes_of(*field, record), form),
        Piece::Number(number, form) => form.write(out, number_of(*number, record, around)),
        Piece::Attribute(Attribute::Compression, AttributeForm::Name) => {
            out.extend(record.origin.codec.name().bytes());
        }
        Piece::Attribute(attribute, form) => {
            let form = match form {
                AttributeForm::Number(form) => *form,
                AttributeForm::Name => NumberForm::Decimal,
            };
            form.write(out, attribute_of(*attribute, record.origin));
        }
        Piece::Time(TimeForm::Number(form)) => form.write(out, record.timestamp.0),
        Piece::Time(TimeForm::Date) => out.extend(around.zone.format(record.timestamp).bytes()),
        Piece::Time(TimeForm::Pattern(pattern)) => {
            pattern.write(out, around.zone.shown(record.timestamp).as_ref(), record.timestamp)
        }
        Piece::Headers(_) | Piece::Length(..) => {}
    }
}

fn number_of(number: Number, record: &ConsumerRecord, around: Around<'_>) -> i64 {
    let offset = |offset: Option<Offset>| offset.map_or(-1, |offset| offset.0);
    match number {
        Number::Partition => i64::from(record.partition),
        Number::Offset => record.offset.0,
        Number::LeaderEpoch => record.leader_epoch.map_or(-1, |epoch| i64::from(epoch.0)),
        Number::ProducerId => record.origin.producer_id.0,
        Number::ProducerEpoch => i64::from(record.origin.producer_epoch.0),
        Number::LogStart => offset(around.bounds.log_start),
        Number::LastStable => offset(around.bounds.last_stable),
        Number::HighWatermark => offset(around.bounds.high_watermark),
        Number::Headers => i64::try_from(record.headers.len()).unwrap_or(i64::MAX),
        Number::Count => i64::try_from(around.count).unwrap_or(i64::MAX),
    }
}

fn attribute_of(attribute: Attribute, origin: Origin) -> i64 {
    match attribute {
        Attribute::Compression => i64::from(origin.codec.id()),
        Attribute::TimestampType => i64::from(origin.log_append_time),
        Attribute::Transactional => i64::from(origin.transactional),
        // Consumers pass over markers.
        Attribute::Control => 0,
    }
}

/// Within a header's braces only its name and its value mean anything.
fn write_header(out: &mut Vec<u8>, pieces: &[Piece], name: &[u8], value: Option<&[u8]>) -> io::Result<()> {
    let bytes = |field: &Field| match field {
        Field::Key => Some(name),
        Field::Value => value,
        Field::Topic => None,
    };
    for (place, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => out.extend(text),
            Piece::Bytes(field, form) => write_bytes(out, bytes(field), form),
            Piece::Length(field, form) => {
                write_length(out, *field, bytes(field), *form, pieces.get(place..))?;
            }
            Piece::Number(..) | Piece::Time(_) | Piece::Attribute(..) | Piece::Headers(_) => {}
        }
    }
    Ok(())
}

/// The length of a field as it stands in the pieces that follow, so that it is read back; -1 for one that is null. One that
/// would be cut is an error: it would be read back as another.
fn write_length(
    out: &mut Vec<u8>,
    field: Field,
    bytes: Option<&[u8]>,
    form: NumberForm,
    following: Option<&[Piece]>,
) -> io::Result<()> {
    let Some(bytes) = bytes else {
        // Where only whether there is something is told, there is nothing.
        form.write(out, if form == NumberForm::Bool { 0 } else { NULL_LENGTH });
        return Ok(());
    };
    if form == NumberForm::Bool {
        form.write(out, i64::from(!bytes.is_empty()));
        return Ok(());
    }
    let shown = following.unwrap_or_default().iter().find_map(|piece| match piece {
        Piece::Bytes(shown, form) if *shown == field => Some(form),
        _ => None,
    });
    let length = match shown {
        None | Some(BytesForm::Raw) => bytes.len(),
        Some(form) => {
            let mut encoded = Vec::new();
            write_bytes(&mut encoded, Some(bytes), form);
            encoded.len()
        }
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if length > form.longest() {
        let message = format!("{field} has {length} bytes, which its length in this template cannot tell");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    form.write(out, length);
    Ok(())
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>, form: &BytesForm) {
    let Some(bytes) = bytes else {
        if *form == BytesForm::Json {
            out.extend(JSON_NULL);
        }
        return;
    };
    match form {
        BytesForm::Raw => out.extend_from_slice(bytes),
        BytesForm::Hex => write_hex(out, bytes),
        BytesForm::Base64 => out.extend(base64(bytes).bytes()),
        BytesForm::Base64Raw => out.extend(base64(bytes).trim_end_matches('=').bytes()),
        BytesForm::Unpack(unpack) => unpack.write(out, bytes),
        BytesForm::Json => {
            let value = match std::str::from_utf8(bytes) {
                Ok(text) => Value::from(text),
                Err(_) => json!({ JSON_BASE64: base64(bytes) }),
            };
            out.extend(value.to_string().bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::{Bounds, Codec, ProducerEpoch, ProducerId, Timestamp};

    use crate::command::template::Reader;
    use crate::command::time::Zone;

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
            origin: Origin {
                producer_id: ProducerId(791),
                producer_epoch: ProducerEpoch(2),
                codec: Codec::Lz4,
                transactional: true,
                ..Origin::PLAIN
            },
        };
        let bounds =
            Bounds { log_start: Some(Offset(5)), last_stable: None, high_watermark: Some(Offset(900)) };
        let around = Around { count: 7, zone: &Zone::UTC, bounds };
        let mut out = Vec::new();
        template.parse::<Template>().expect("it is right").write(&mut out, &record, around).expect("it fits");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected), "{template}");
    }

    #[test]
    fn bytes_that_are_no_text_stand_in_json_as_base64_and_are_read_back() {
        for bytes in [&b"\xff\xfe"[..], b"a\xc3", b"a\"\n", b""] {
            let mut out = Vec::new();
            write_bytes(&mut out, Some(bytes), &BytesForm::Json);
            let value: Value = serde_json::from_slice(&out).expect("it is JSON");
            assert_eq!(value.is_object(), std::str::from_utf8(bytes).is_err(), "{value}");
            let template: Template = "%v{json}\n".parse().expect("it is right");
            let input = [&out[..], b"\n"].concat();
            let mut reader = Reader::new(&input[..], template, Zone::UTC).expect("it can be read");
            let record = reader.next_record().expect("it is right").expect("there is one");
            assert_eq!(record.value.as_deref(), Some(bytes));
        }
        check("%k{json}", b"\"a\\\"b\"");
    }

    /// A record whose fields are all of the same kind.
    fn filled(key: Option<&[u8]>) -> ConsumerRecord {
        let owned = key.map(bytes::Bytes::copy_from_slice);
        ConsumerRecord {
            topic: "a\"\u{e9}".into(),
            partition: 0,
            offset: Offset(0),
            timestamp: Timestamp(0),
            leader_epoch: None,
            key: owned.clone(),
            value: owned,
            headers: [("x\n", key), ("", None)].into_iter().collect(),
            origin: Origin::PLAIN,
        }
    }

    #[test]
    fn what_is_written_with_lengths_is_read_back_in_every_form() {
        let forms = ["", "{hex}", "{base64}", "{base64raw}", "{json}"];
        let numbers = [
            "",
            "{ascii}",
            "{number}",
            "{hex}",
            "{hex64}",
            "{hex16}",
            "{hex8}",
            "{big64}",
            "{big8}",
            "{little32}",
            "{byte}",
        ];
        let fills = [
            None,
            Some(&b""[..]),
            Some(b"a\"b\n;"),
            Some("\u{e9}".as_bytes()),
            Some(b"\xff\x00;\n"),
            Some(b"null"),
        ];
        for (form, number) in forms.iter().flat_map(|form| numbers.map(|number| (form, number))) {
            let field = |length: char, bytes: char| format!("%{length}{number};%{bytes}{form}");
            let (topic, key, value) = (field('T', 't'), field('K', 'k'), field('V', 'v'));
            let text = format!("{topic}{key}%H;%h{{{key}{value}}}{value}");
            let template: Template = text.parse().expect("it is right");
            for fill in fills {
                let record = filled(fill);
                let around = Around { count: 1, zone: &Zone::UTC, bounds: Bounds::default() };
                let mut out = Vec::new();
                template.write(&mut out, &record, around).expect("it fits");
                let mut reader = Reader::new(&out[..], template.clone(), Zone::UTC).expect("it can be read");
                let read = reader.next_record().expect("it is right").expect("there is one");
                let written = String::from_utf8_lossy(&out);
                assert_eq!(*read.topic, *record.topic, "{text}: {written:?}");
                assert_eq!((&read.key, &read.value), (&record.key, &record.value), "{text}: {written:?}");
                let headers: Vec<(&str, Option<&[u8]>)> =
                    read.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
                assert_eq!(headers, [("x\n", fill), ("", None)], "{text}: {written:?}");
                assert_eq!(reader.next_record().expect("it is right"), None, "{text}: {written:?}");
            }
        }
    }

    #[test]
    fn records_are_written_as_the_template_says() {
        check("%i %t/%p@%o e%e %d %d{date}\\n", b"7 orders/3@258 e-1 1000 1970-01-01T00:00:01.000Z\n");
        check("%K:%k|%V:%v|", b"3:a\"b|-1:|");
        check("%K:%k{hex}|%K{hex}:%k{base64}|%K%k%K", b"6:612262|4:YSJi|3a\"b3");
        check("%k{json} %k{hex} %k{base64}", b"\"a\\\"b\" 612262 YSJi");
        check("%H %h{%k=%v;}", b"2 x=1;y=;");
        check("%k{unpack[cB]} %k{base64raw} %V{bool} %h{%v{unpack[s]};}", b"a34 YSJi false 1;;");
        check(
            "%d{strftime[%F %T]} %d{strftime#{%H}#} %d{go[2006 Jan 2]}",
            b"1970-01-01 00:00:01 {00} 1970 Jan 1",
        );
        check("%o{big16}%o{little16}%o{hex16}%o{hex}", b"\x01\x02\x02\x010102102");
        check("%x %y %[ %| %] %{%}%%{a}", b"791 2 5 -1 900 {}%{a}");
        check("%a{compression} %a{compression;number} %a{transactional-bit;bool}", b"lz4 3 true");
        check("%a{timestamp-type} %a{control-bit;hex8} %a{transactional-bit}", b"0 00 1");
    }
}
