//! Records out of bytes that a template describes.

use std::io::{self, BufRead};

use bytes::Bytes;
use client::{ProducerRecord, Timestamp};
use serde_json::Value;

use super::forms::{BytesForm, JSON_BASE64, JSON_NULL, NumberForm, TimeForm, unhex};
use super::until_end::UntilEnd;
use super::{Field, Number, Piece, Template};
use crate::command::time::{Time, Zone, date_time};
use crate::print::json::unbase64;

/// The longest field that is read: more than any broker takes.
const FIELD_BYTES_MAX: usize = 1 << 30;

/// What stands around the bytes of a record, as numbers and the text of the template.
const AROUND_BYTES: usize = 1 << 20;

/// The longest number, or date.
const NUMBER_BYTES_MAX: usize = 40;

/// The most headers of a record. Beyond that a number is taken for nonsense.
const HEADERS_MAX: usize = 100_000;

/// Reads records as a template describes them, one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: UntilEnd<R>,
    template: Template,
    /// Where times are meant that name no offset.
    zone: Zone,
    /// How many bytes a record may have.
    record_max: usize,
    /// How many bytes of input the record that is being read may still take.
    left: usize,
}

/// How long a field is; nothing if it is null.
type Len = Option<usize>;

/// What was read of a record.
#[derive(Debug, Default)]
struct Parts {
    record: ProducerRecord,
    topic_len: Option<Len>,
    key_len: Option<Len>,
    value_len: Option<Len>,
    /// How many headers are to come.
    headers: usize,
}

impl Parts {
    fn len(&mut self, field: Field) -> &mut Option<Len> {
        match field {
            Field::Topic => &mut self.topic_len,
            Field::Key => &mut self.key_len,
            Field::Value => &mut self.value_len,
        }
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// A piece of the template.
    Itself,
    /// The text after it as well, by which it was known to end.
    TheTextAfter,
    /// What there was of a text at the end of the input.
    NotAll,
}

impl<R: BufRead> Reader<R> {
    /// A reader, if the template says where each field ends.
    pub fn new(input: R, template: Template, zone: Zone) -> Result<Reader<R>, String> {
        check(&template.0, true)?;
        let reads = |piece: &Piece| !matches!(piece, Piece::Text(_));
        if !template.0.iter().any(reads) {
            return Err("it has no field that could be read".to_owned());
        }
        let input = UntilEnd::new(input);
        Ok(Reader { input, template, zone, record_max: FIELD_BYTES_MAX, left: 0 })
    }

    /// The same, for records that are no larger than so many bytes: no more memory is taken for one.
    pub fn of_at_most(self, record_max: usize) -> Reader<R> {
        Reader { record_max, ..self }
    }

    /// The next record; its topic is empty unless the template has one. Nothing at the end of the input.
    pub fn next_record(&mut self) -> io::Result<Option<ProducerRecord>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut parts = Parts::default();
        let template = self.template.0.clone();
        self.left = self.record_max.saturating_mul(growth(&template)).saturating_add(AROUND_BYTES);
        self.read_all(&template, &mut parts)?;
        Ok(Some(parts.record))
    }

    fn read_all(&mut self, template: &[Piece], parts: &mut Parts) -> io::Result<()> {
        let mut pieces = template.iter().peekable();
        while let Some(piece) = pieces.next() {
            let until = match pieces.peek() {
                Some(Piece::Text(text)) => text.as_slice(),
                _ => &[],
            };
            match self.read(piece, until, parts)? {
                Passed::TheTextAfter => drop(pieces.next()),
                Passed::NotAll if pieces.peek().is_some() => {
                    return Err(wrong("the input ends within a record"));
                }
                Passed::Itself | Passed::NotAll => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, piece: &Piece, until: &[u8], parts: &mut Parts) -> io::Result<Passed> {
        match piece {
            Piece::Text(text) => self.skip(text),
            Piece::Bytes(field, form) => self.bytes(*field, form, until, parts),
            Piece::Length(field, form) => {
                let (bytes, passed) = self.digits(*form, until)?;
                let len =
                    form.parse_length(&bytes).filter(|len| len.is_none_or(|len| len <= FIELD_BYTES_MAX));
                let nonsense = || wrong(format!("{:?} is no length", String::from_utf8_lossy(&bytes)));
                *parts.len(*field) = Some(len.ok_or_else(nonsense)?);
                Ok(passed)
            }
            Piece::Number(number, form) => {
                let (read, passed) = self.number(*form, until)?;
                match number {
                    Number::Partition => {
                        let partition =
                            i32::try_from(read).map_err(|_| wrong("%p is no partition's number"))?;
                        parts.record.partition = Some(partition);
                    }
                    Number::Headers => {
                        let count = usize::try_from(read).ok().filter(|count| *count <= HEADERS_MAX);
                        parts.headers =
                            count.ok_or_else(|| wrong("%H cannot be: there are too many headers"))?;
                    }
                    // Where the record was is of no use to where it goes.
                    _ => {}
                }
                Ok(passed)
            }
            Piece::Time(TimeForm::Number(form)) => {
                let (number, passed) = self.number(*form, until)?;
                parts.record.timestamp = Some(Timestamp(number));
                Ok(passed)
            }
            Piece::Time(TimeForm::Date) => {
                let (text, passed) = self.until(until, NUMBER_BYTES_MAX)?;
                let date = std::str::from_utf8(&text).ok().and_then(|text| date(text.trim()));
                let nonsense = || wrong(format!("%d: {:?} is no date", String::from_utf8_lossy(&text)));
                parts.record.timestamp = Some(self.zone.instant(date.ok_or_else(nonsense)?));
                Ok(passed)
            }
            Piece::Headers(pieces) => {
                for _ in 0..std::mem::take(&mut parts.headers) {
                    // A header's name and value stand where a record's key and value do.
                    let mut header = Parts::default();
                    self.read_all(pieces, &mut header)?;
                    let ProducerRecord { key, value, .. } = header.record;
                    let name = String::from_utf8(key.unwrap_or_default().to_vec());
                    let name = name.map_err(|_| wrong("the name of a header is not UTF-8"))?;
                    parts.record.headers.push((name, value));
                }
                Ok(Passed::Itself)
            }
            Piece::Time(TimeForm::Pattern(_)) | Piece::Attribute(..) => Err(wrong("this cannot be read")),
        }
    }

    fn bytes(
        &mut self,
        field: Field,
        form: &BytesForm,
        until: &[u8],
        parts: &mut Parts,
    ) -> io::Result<Passed> {
        let (bytes, passed) = match *parts.len(field) {
            // What is null stands in JSON all the same.
            Some(None) if *form == BytesForm::Json => (self.exactly(JSON_NULL.len())?, Passed::Itself),
            Some(None) => return Ok(Passed::Itself),
            Some(Some(len)) => (self.exactly(len)?, Passed::Itself),
            None => self.until(until, FIELD_BYTES_MAX)?,
        };
        let bytes = decode(bytes, form).map_err(|reason| wrong(format!("{field}: {reason}")))?;
        match field {
            Field::Topic => {
                let topic = String::from_utf8(bytes.unwrap_or_default());
                parts.record.topic = topic.map_err(|_| wrong("a topic's name is not UTF-8"))?.into();
            }
            Field::Key => parts.record.key = bytes.map(Bytes::from),
            Field::Value => parts.record.value = bytes.map(Bytes::from),
        }
        Ok(passed)
    }

    fn digits(&mut self, form: NumberForm, until: &[u8]) -> io::Result<(Vec<u8>, Passed)> {
        match form.size() {
            Some(size) => Ok((self.exactly(size)?, Passed::Itself)),
            None => self.until(until, NUMBER_BYTES_MAX),
        }
    }

    fn number(&mut self, form: NumberForm, until: &[u8]) -> io::Result<(i64, Passed)> {
        let (bytes, passed) = self.digits(form, until)?;
        let nonsense = || wrong(format!("{:?} is no number", String::from_utf8_lossy(&bytes)));
        Ok((form.parse(&bytes).ok_or_else(nonsense)?, passed))
    }

    /// Passes over a text that has to stand there; at the very end of the input it may be missing.
    fn skip(&mut self, text: &[u8]) -> io::Result<Passed> {
        for expected in text {
            match self.byte()? {
                Some(byte) if byte == *expected => {}
                None => return Ok(Passed::NotAll),
                Some(_) => {
                    let text = String::from_utf8_lossy(text);
                    return Err(wrong(format!("{text:?} is not where the template has it")));
                }
            }
        }
        Ok(Passed::Itself)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        self.pass(usize::from(byte.is_some()))?;
        Ok(byte)
    }

    /// Passes over what was looked at.
    fn pass(&mut self, count: usize) -> io::Result<()> {
        self.input.consume(count);
        let too_large = || {
            let max = self.record_max;
            wrong(format!("it has more than {max} bytes; -X max.request.size=BYTES allows more"))
        };
        self.left = self.left.checked_sub(count).ok_or_else(too_large)?;
        Ok(())
    }

    /// Memory follows the bytes that are there, never the length that was announced.
    fn exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let there = self.input.fill_buf()?;
            if there.is_empty() {
                return Err(wrong("the input ends within a record"));
            }
            let take = there.len().min(len - bytes.len());
            bytes.extend_from_slice(there.get(..take).unwrap_or_default());
            self.pass(take)?;
        }
        Ok(bytes)
    }

    /// Reads up to a text, and passes over it; without a text, or without finding it, to the end.
    fn until(&mut self, text: &[u8], max: usize) -> io::Result<(Vec<u8>, Passed)> {
        let mut bytes = Vec::new();
        let last = text.last().copied();
        loop {
            let there = self.input.fill_buf()?;
            let end = last.and_then(|last| there.iter().position(|byte| *byte == last));
            let take = end.map_or(there.len(), |end| end + 1);
            if take == 0 {
                return Ok((bytes, Passed::Itself));
            }
            bytes.extend_from_slice(there.get(..take).unwrap_or_default());
            self.pass(take)?;
            if bytes.len() > max + text.len() {
                return Err(wrong("a field has no end"));
            }
            if end.is_some() && bytes.ends_with(text) {
                bytes.truncate(bytes.len() - text.len());
                return Ok((bytes, Passed::TheTextAfter));
            }
        }
    }
}

/// A time as `{date}` writes it: a date, or milliseconds where that has none.
fn date(text: &str) -> Option<Time> {
    let without_date = |millis: &i64| {
        let written = Zone::UTC.format(Timestamp(*millis)).to_string();
        written == text
    };
    let millis = || text.parse().ok().filter(without_date);
    date_time(text).or_else(|| Some(Time::Instant(Timestamp(millis()?))))
}

/// How many times as long as a record its bytes in the forms of a template may be. In JSON each may stand as `\u00XX`.
fn growth(template: &[Piece]) -> usize {
    let times = |piece: &Piece| match piece {
        Piece::Bytes(_, BytesForm::Json) => 6,
        Piece::Bytes(_, BytesForm::Hex | BytesForm::Base64 | BytesForm::Base64Raw) => 2,
        Piece::Headers(pieces) => growth(pieces),
        _ => 1,
    };
    template.iter().map(times).max().unwrap_or(1)
}

/// Whether a template says where each field ends, and has none that cannot be read. Within a header it is read again and
/// again, so that what comes after says nothing about its last field.
fn check(pieces: &[Piece], is_record: bool) -> Result<(), String> {
    const READ: &str = "of what consume writes, %t %k %v %h, their lengths, %H %p %d and numbers can be read";
    let (mut sized, mut read) = (Vec::new(), Vec::new());
    let mut is_counted = false;
    for (place, piece) in pieces.iter().enumerate() {
        let ends = pieces.get(place + 1).map_or(is_record, |next| matches!(next, Piece::Text(_)));
        let has_end = match piece {
            Piece::Text(_) => true,
            Piece::Bytes(field, BytesForm::Unpack(_)) => {
                return Err(format!(
                    "{field}{{unpack[...]}} can be written but not read: leave out the form"
                ));
            }
            Piece::Bytes(Field::Topic, _) | Piece::Length(Field::Topic, _) if !is_record => {
                return Err("a header has only %k and %v".to_owned());
            }
            Piece::Bytes(field, _) if read.contains(field) => {
                return Err(format!("{field} can be read but once: leave the other out"));
            }
            Piece::Bytes(field, _) => {
                read.push(*field);
                ends || sized.contains(field)
            }
            Piece::Length(_, NumberForm::Bool) => {
                return Err("{bool} says whether there is something, but not how long it is".to_owned());
            }
            Piece::Length(field, form) => {
                sized.push(*field);
                ends || form.size().is_some()
            }
            Piece::Time(TimeForm::Pattern(_)) => {
                return Err(
                    "%d{strftime[...]} and %d{go[...]} can be written but not read: %d and %d{date} can"
                        .to_owned(),
                );
            }
            Piece::Attribute(..) => return Err(format!("%a{{...}} can be written but not read: {READ}")),
            Piece::Number(..) | Piece::Time(_) if !is_record => {
                return Err("a header has only %k and %v".to_owned());
            }
            Piece::Number(number, form) => {
                is_counted |= *number == Number::Headers;
                ends || form.size().is_some()
            }
            Piece::Time(TimeForm::Number(form)) => ends || form.size().is_some(),
            Piece::Time(TimeForm::Date) => ends,
            Piece::Headers(_) if !is_counted => {
                return Err("%H has to say how many headers come before %h{...} can be read".to_owned());
            }
            Piece::Headers(pieces) => {
                check(pieces, false)?;
                true
            }
        };
        if !has_end {
            return Err("it does not say where a field ends: put text or a length around it".to_owned());
        }
    }
    Ok(())
}

/// The bytes that stand there in a form; nothing for what is null.
fn decode(bytes: Vec<u8>, form: &BytesForm) -> Result<Option<Vec<u8>>, String> {
    let (decoded, name) = match form {
        BytesForm::Raw | BytesForm::Unpack(_) => return Ok(Some(bytes)),
        BytesForm::Json if bytes.trim_ascii() == JSON_NULL => return Ok(None),
        BytesForm::Hex => (unhex(&bytes), "hex"),
        BytesForm::Base64 | BytesForm::Base64Raw => (unbase64(&bytes), "base64"),
        BytesForm::Json => (unjson(&bytes), "a string of JSON, or one of base64 as {\"base64\":\"...\"}"),
    };
    decoded.map(Some).ok_or_else(|| format!("{:?} is not {name}", String::from_utf8_lossy(&bytes)))
}

/// The bytes that a string of JSON is, or an object with base64 as they are written that are no text.
fn unjson(text: &[u8]) -> Option<Vec<u8>> {
    match serde_json::from_slice(text).ok()? {
        Value::String(text) => Some(text.into_bytes()),
        Value::Object(members) if members.len() == 1 => {
            unbase64(members.get(JSON_BASE64)?.as_str()?.as_bytes())
        }
        _ => None,
    }
}

fn wrong(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(template: &str, input: &[u8]) -> io::Result<Vec<ProducerRecord>> {
        // A buffer of three bytes, so that everything is cut somewhere.
        let input = io::BufReader::with_capacity(3, input);
        let template = template.parse().expect("it is right");
        let mut reader = Reader::new(input, template, Zone::UTC).expect("it can be read");
        std::iter::from_fn(|| reader.next_record().transpose()).collect()
    }

    fn record(key: &'static str, value: &'static str) -> ProducerRecord {
        ProducerRecord::default().key(key).value(value)
    }

    #[test]
    fn fields_end_where_the_text_after_them_is() {
        let expected = [record("a", "1"), record("b", ""), record("", "3")];
        assert_eq!(read("%k => %v\\n", b"a => 1\nb => \n => 3").expect("it is right"), expected);
        assert_eq!(read("%v", b"a\nb").expect("it is right"), [ProducerRecord::default().value("a\nb")]);
    }

    #[test]
    fn a_field_takes_no_more_memory_than_a_record_may_have() {
        for template in ["%v;", "%v{hex};", "%v{json};", "%K{big16}%k%v\\n"] {
            let endless = io::BufReader::new(io::repeat(b'0'));
            let template = template.parse().expect("it is right");
            let reader = Reader::new(endless, template, Zone::UTC).expect("it can be read");
            let mut reader = reader.of_at_most(1000);
            let error = reader.next_record().expect_err("it has no end").to_string();
            assert!(error.contains("more than 1000 bytes; -X max.request.size=BYTES"), "{error}");
        }
    }

    #[test]
    fn a_time_that_has_no_date_is_read_as_it_was_written() {
        let times = [253_402_300_800_000, -377_705_116_800_001, 0].map(Timestamp);
        for time in times {
            let text = format!("{} x", Zone::UTC.format(time));
            let records = read("%d{date} %v", text.as_bytes()).expect("it is right");
            assert_eq!(records.first().and_then(|record| record.timestamp), Some(time), "{text}");
        }
        assert!(read("%d{date} %v", b"1000 x").is_err(), "that has a date");
    }

    #[test]
    fn fields_of_a_length_may_hold_anything() {
        let expected = [record("a\n", "1 2"), record("", "x")];
        let input = b"\x00\x02a\n3 1 2\n\x00\x001 x\n";
        assert_eq!(read("%K{big16}%k%V %v\\n", input).expect("it is right"), expected);
    }

    #[test]
    fn forms_partitions_and_times_are_read() {
        let input = br#"t 3 1000 6b "a\u0062"
"#;
        let read = read("%t %p %d %k{hex} %v{json}\\n", input).expect("it is right");
        let expected = ProducerRecord::new("t").partition(3).timestamp(Timestamp(1000)).key("k").value("ab");
        assert_eq!(read, [expected]);
    }

    #[test]
    fn headers_are_read_as_they_are_written() {
        let expected = [record("k", "v").header("a", "1 2").header("b", ""), record("k", "w")];
        let template = "%H{big32}%h{%K{big16}%k%V{big16}%v}%k %v\n";
        let input = b"\0\0\0\x02\0\x01a\0\x031 2\0\x01b\0\0k v\n\0\0\0\0k w\n";
        assert_eq!(read(template, input).expect("it is right"), expected);
        let input = b"2 a=1 2;b=;k v\n0 k w\n";
        assert_eq!(read("%H %h{%k=%v;}%k %v\n", input).expect("it is right"), expected);
    }

    #[test]
    fn what_says_where_a_record_was_is_passed_over() {
        let input = b"7 2 -1 2024-02-29T23:59:59.999+01:00 a\n";
        let read = read("%o %x %y %d{date} %v\n", input).expect("it is right");
        assert_eq!(read, [ProducerRecord::default().timestamp(Timestamp(1_709_247_599_999)).value("a")]);
    }

    #[test]
    fn a_date_without_an_offset_is_meant_where_the_reader_is() {
        let zone = Zone::fixed(3600);
        let template = "%d{date} %v\\n".parse().expect("it is right");
        let input = &b"1970-01-01T01:00:00 a\n1970-01-01T00:00:01Z b\n"[..];
        let mut reader = Reader::new(input, template, zone).expect("it can be read");
        let mut next = || reader.next_record().expect("it is right").and_then(|record| record.timestamp);
        assert_eq!([next(), next()], [Some(Timestamp(0)), Some(Timestamp(1000))]);
    }

    #[test]
    fn what_is_null_has_a_length_below_nothing_or_is_null_in_json() {
        let null = ProducerRecord { key: None, ..ProducerRecord::default().value("v") };
        for (template, input) in [
            ("%K %k%v\\n", &b"-1 v\n"[..]),
            ("%K{big32}%k%v", b"\xff\xff\xff\xffv"),
            ("%K{little16}%k%v", b"\xff\xffv"),
            ("%K{hex8}%k%v", b"ffv"),
            ("%K{hex} %k%v", b"ffffffffffffffff v"),
            ("%k{json} %v\\n", b"null v\n"),
            ("%K{big8}%k{json}%v", b"\xffnullv"),
        ] {
            assert_eq!(read(template, input).expect("it is right").first(), Some(&null), "{template}");
        }
        let headers = read("%H %h{%k=%V %v}%v\n", b"1 a=-1 v\n").expect("it is right");
        assert_eq!(headers[0].headers, [("a".to_owned(), None)]);
        let empty = read("%K %k%v\n", b"0 v\n").expect("it is right");
        assert_eq!(empty, [record("", "v")], "what is empty is not null");
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_what_cannot_be_read_is_refused() {
        for (template, input) in [
            ("%K{big32}%k", &b"\x7f\xff\xff\xffa"[..]),
            ("%K{big32}%k", b"\x00\x00\x00\x05a"),
            ("%K %k\\n", b"-2 a\n"),
            ("%K{big16}%k;", b"\x00\x01a:"),
            ("%p %v\\n", b"x y\n"),
            ("%k{hex}\\n", b"0g\n"),
            ("%H %h{%k=%v;}%v\\n", b"2 a=1;b\n"),
            ("%H %v\\n", b"-1 b\n"),
            ("%d{date} %v\\n", b"soon b\n"),
            ("%k %v\\n", b"a1\n"),
            ("%k %v\\n", b"a 1\nb"),
        ] {
            assert!(read(template, input).is_err(), "{template:?}");
        }
        for template in [
            "%k%v",
            "text",
            "%o%v",
            "%h{%k} %v",
            "%H %h{%k=%v} %v",
            "%H %h{%t %k }%v",
            "%H %h{%p %k }%v",
            "%d{go[2006]} %v",
            "%a{compression} %v",
            "%v{unpack[i]}",
            "%v{hex} %v\n",
            "%V{bool} %v\n",
        ] {
            let template: Template = template.parse().expect("it can be written");
            assert!(Reader::new(io::empty(), template, Zone::UTC).is_err());
        }
    }
}
