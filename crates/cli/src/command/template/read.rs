//! Records out of bytes that a template describes.

use std::io::{self, BufRead};

use bytes::Bytes;
use client::{ProducerRecord, Timestamp};

use super::forms::{BytesForm, NumberForm, TimeForm, unbase64, unhex};
use super::{Field, Number, Piece, Template};

/// The longest field that is read: more than any broker takes.
const FIELD_BYTES_MAX: usize = 1 << 30;

/// The longest number.
const NUMBER_BYTES_MAX: usize = 32;

/// Reads records as a template describes them, one after the other.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    template: Template,
}

/// What was read of a record.
#[derive(Debug, Default)]
struct Parts {
    record: ProducerRecord,
    topic_len: Option<usize>,
    key_len: Option<usize>,
    value_len: Option<usize>,
}

impl Parts {
    fn len(&mut self, field: Field) -> &mut Option<usize> {
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
    pub fn new(input: R, template: Template) -> Result<Reader<R>, String> {
        let mut sized = Vec::new();
        for (place, piece) in template.0.iter().enumerate() {
            let ends = match template.0.get(place + 1) {
                Some(next) => matches!(next, Piece::Text(_)),
                None => true,
            };
            match piece {
                Piece::Length(field, form) if ends || form.size().is_some() => sized.push(*field),
                Piece::Bytes(_, BytesForm::Unpack(_)) => {
                    return Err("what is packed cannot be read".to_owned());
                }
                Piece::Bytes(field, _) if ends || sized.contains(field) => {}
                Piece::Number(Number::Partition, form) | Piece::Time(TimeForm::Number(form))
                    if ends || form.size().is_some() => {}
                Piece::Text(_) => {}
                Piece::Headers(_)
                | Piece::Time(TimeForm::Date | TimeForm::Pattern(_))
                | Piece::Number(..) => {
                    return Err("only %t %k %v, their lengths, %p and %d can be read".to_owned());
                }
                _ => {
                    return Err(
                        "it does not say where a field ends: put text or a length around it".to_owned()
                    );
                }
            }
        }
        let reads = |piece: &Piece| !matches!(piece, Piece::Text(_));
        if !template.0.iter().any(reads) {
            return Err("it has no field that could be read".to_owned());
        }
        Ok(Reader { input, template })
    }

    /// The next record; its topic is empty unless the template has one. Nothing at the end of the input.
    pub fn next_record(&mut self) -> io::Result<Option<ProducerRecord>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut parts = Parts::default();
        let template = self.template.0.clone();
        let mut pieces = template.iter().peekable();
        while let Some(piece) = pieces.next() {
            let until = match pieces.peek() {
                Some(Piece::Text(text)) => text.as_slice(),
                _ => &[],
            };
            match self.read(piece, until, &mut parts)? {
                Passed::TheTextAfter => drop(pieces.next()),
                Passed::NotAll if pieces.peek().is_some() => {
                    return Err(wrong("the input ends within a record"));
                }
                Passed::Itself | Passed::NotAll => {}
            }
        }
        Ok(Some(parts.record))
    }

    fn read(&mut self, piece: &Piece, until: &[u8], parts: &mut Parts) -> io::Result<Passed> {
        match piece {
            Piece::Text(text) => self.skip(text),
            Piece::Bytes(field, form) => self.bytes(*field, form, until, parts),
            Piece::Length(field, form) => {
                let (len, passed) = self.number(*form, until)?;
                let len = usize::try_from(len).ok().filter(|len| *len <= FIELD_BYTES_MAX);
                *parts.len(*field) = Some(len.ok_or_else(|| wrong("a length cannot be"))?);
                Ok(passed)
            }
            Piece::Number(_, form) => {
                let (number, passed) = self.number(*form, until)?;
                let partition = i32::try_from(number).map_err(|_| wrong("a partition's number cannot be"))?;
                parts.record.partition = Some(partition);
                Ok(passed)
            }
            Piece::Time(TimeForm::Number(form)) => {
                let (number, passed) = self.number(*form, until)?;
                parts.record.timestamp = Some(Timestamp(number));
                Ok(passed)
            }
            Piece::Time(_) | Piece::Headers(_) => Err(wrong("this cannot be read")),
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
            Some(len) => (self.exactly(len)?, Passed::Itself),
            None => self.until(until, FIELD_BYTES_MAX)?,
        };
        let bytes = decode(bytes, form)?;
        match field {
            Field::Topic => {
                let topic = String::from_utf8(bytes).map_err(|_| wrong("a topic's name is not UTF-8"))?;
                parts.record.topic = topic.into();
            }
            Field::Key => parts.record.key = Some(Bytes::from(bytes)),
            Field::Value => parts.record.value = Some(Bytes::from(bytes)),
        }
        Ok(passed)
    }

    fn number(&mut self, form: NumberForm, until: &[u8]) -> io::Result<(i64, Passed)> {
        let (bytes, passed) = match form.size() {
            Some(size) => (self.exactly(size)?, Passed::Itself),
            None => self.until(until, NUMBER_BYTES_MAX)?,
        };
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
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
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
            self.input.consume(take);
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
            self.input.consume(take);
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

fn decode(bytes: Vec<u8>, form: &BytesForm) -> io::Result<Vec<u8>> {
    let decoded = match form {
        BytesForm::Raw | BytesForm::Unpack(_) => return Ok(bytes),
        BytesForm::Hex => unhex(&bytes),
        BytesForm::Base64 | BytesForm::Base64Raw => unbase64(&bytes),
        BytesForm::Json => serde_json::from_slice::<String>(&bytes).ok().map(String::into_bytes),
    };
    decoded.ok_or_else(|| wrong(format!("{:?} is not what its form says", String::from_utf8_lossy(&bytes))))
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
        let mut reader = Reader::new(input, template).expect("it can be read");
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
    fn what_does_not_fit_is_an_error_and_what_cannot_be_read_is_refused() {
        for (template, input) in [
            ("%K{big32}%k", &b"\x7f\xff\xff\xffa"[..]),
            ("%K{big32}%k", b"\x00\x00\x00\x05a"),
            ("%K %k\\n", b"-1 a\n"),
            ("%K{big16}%k;", b"\x00\x01a:"),
            ("%p %v\\n", b"x y\n"),
            ("%k{hex}\\n", b"0g\n"),
            ("%k %v\\n", b"a1\n"),
            ("%k %v\\n", b"a 1\nb"),
        ] {
            assert!(read(template, input).is_err(), "{template:?}");
        }
        for template in
            ["%k%v", "text", "%o %v", "%h{%k} %v", "%d{date} %v", "%d{go[2006]} %v", "%v{unpack[i]}"]
        {
            let template: Template = template.parse().expect("it can be written");
            assert!(Reader::new(io::empty(), template).is_err());
        }
    }
}
