//! The forms in which bytes, numbers and times stand in text.

use super::times::Pattern;
use super::unpack::Unpack;

/// The length of what is null.
pub(super) const NULL_LENGTH: i64 = -1;

/// What is null in JSON.
pub(super) const JSON_NULL: &[u8] = b"null";

/// Under which name base64 stands in the object that JSON has for bytes which are no text: a string could not hold them.
pub(super) const JSON_BASE64: &str = "base64";

/// How bytes stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BytesForm {
    Raw,
    Hex,
    Base64,
    /// Without the signs that fill it up.
    Base64Raw,
    /// As a string of JSON, or, where they are not UTF-8, an object with base64.
    Json,
    /// As what is packed in them.
    Unpack(Unpack),
}

/// How a number stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberForm {
    Decimal,
    /// So many hexadecimal digits, with zeros before.
    Hex(usize),
    /// As many hexadecimal digits as it takes.
    HexShort,
    /// So many bytes, the highest first.
    Big(usize),
    /// So many bytes, the lowest first.
    Little(usize),
    /// `false` for 0, and `true` for all others.
    Bool,
}

/// How an attribute stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeForm {
    /// By its name.
    Name,
    Number(NumberForm),
}

/// How a time stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// Milliseconds since 1970.
    Number(NumberForm),
    /// Date and time of day, with the offset from UTC.
    Date,
    /// As somebody wants it.
    Pattern(Pattern),
}

impl TimeForm {
    pub fn read(name: &str) -> Result<TimeForm, String> {
        if name == "date" {
            return Ok(TimeForm::Date);
        }
        if let Some(pattern) = name.strip_prefix("strftime") {
            return Pattern::strftime(enclosed(pattern)?).map(TimeForm::Pattern);
        }
        if let Some(layout) = name.strip_prefix("go") {
            return Ok(TimeForm::Pattern(Pattern::go(enclosed(layout)?)));
        }
        NumberForm::read(name).map(TimeForm::Number).map_err(|_| {
            format!("{{{name}}} is no form of a time: date, strftime[%F], go[2006-01-02] or a form of a number is expected")
        })
    }
}

/// What stands between brackets, braces or pound signs, of which there may be several: as many after it as before.
fn enclosed(text: &str) -> Result<&str, String> {
    let pairs = [('[', ']'), ('{', '}'), ('#', '#')];
    let open = pairs.into_iter().find(|(open, _)| text.starts_with(*open));
    let inside = open.and_then(|(open, close)| {
        let count = text.chars().take_while(|c| *c == open).count();
        let after = text.get(count..)?;
        let end = after.len().checked_sub(count)?;
        after.get(end..)?.chars().all(|c| c == close).then(|| after.get(..end))?
    });
    inside.ok_or_else(|| format!("{text:?} should stand in brackets: [...], {{...}} or #...#"))
}

impl BytesForm {
    pub fn read(name: &str) -> Result<BytesForm, String> {
        match name {
            "hex" => Ok(BytesForm::Hex),
            "base64" => Ok(BytesForm::Base64),
            "base64raw" => Ok(BytesForm::Base64Raw),
            "json" => Ok(BytesForm::Json),
            _ => match name.strip_prefix("unpack") {
                Some(letters) => Unpack::read(enclosed(letters)?).map(BytesForm::Unpack),
                None => Err(format!(
                    "{{{name}}} is no form of bytes: hex, base64, base64raw, json or unpack[...] is expected"
                )),
            },
        }
    }
}

impl NumberForm {
    pub fn read(name: &str) -> Result<NumberForm, String> {
        let bits = |kind: &str| name.strip_prefix(kind).and_then(|bits| bits.parse::<usize>().ok());
        let bytes = |kind| bits(kind).filter(|bits| matches!(bits, 8 | 16 | 32 | 64)).map(|bits| bits / 8);
        let digits = bits("hex").filter(|bits| matches!(bits, 4 | 8 | 16 | 32 | 64)).map(|bits| bits / 4);
        match (name, digits, bytes("big"), bytes("little")) {
            ("ascii" | "number", ..) => Ok(NumberForm::Decimal),
            ("hex", ..) => Ok(NumberForm::HexShort),
            ("byte", ..) => Ok(NumberForm::Big(1)),
            ("bool", ..) => Ok(NumberForm::Bool),
            (_, Some(digits), ..) => Ok(NumberForm::Hex(digits)),
            (_, _, Some(bytes), _) => Ok(NumberForm::Big(bytes)),
            (_, _, _, Some(bytes)) => Ok(NumberForm::Little(bytes)),
            _ => Err(format!(
                "{{{name}}} is no form of a number: ascii, hex, hex64 to hex4, big64 to big8, little64 to little8, byte or bool is expected"
            )),
        }
    }

    pub fn write(self, out: &mut Vec<u8>, number: i64) {
        let last = |bytes: [u8; 8], count: usize| bytes.get(8 - count..).unwrap_or_default().to_vec();
        match self {
            NumberForm::Decimal => out.extend(number.to_string().bytes()),
            NumberForm::Hex(digits) => {
                let all = format!("{number:016x}");
                out.extend(all.get(16 - digits..).unwrap_or_default().bytes());
            }
            NumberForm::HexShort => out.extend(format!("{number:x}").bytes()),
            NumberForm::Big(count) => out.extend(last(number.to_be_bytes(), count)),
            NumberForm::Little(count) => {
                let mut bytes = last(number.to_be_bytes(), count);
                bytes.reverse();
                out.extend(bytes);
            }
            NumberForm::Bool => out.extend((number != 0).to_string().bytes()),
        }
    }

    /// How many bytes it takes; nothing if that depends on the number.
    pub fn size(self) -> Option<usize> {
        match self {
            NumberForm::Decimal | NumberForm::HexShort | NumberForm::Bool => None,
            NumberForm::Hex(count) | NumberForm::Big(count) | NumberForm::Little(count) => Some(count),
        }
    }

    /// The largest length that it can tell from [`NULL_LENGTH`].
    pub fn longest(self) -> i64 {
        let bits = match self {
            NumberForm::Decimal | NumberForm::HexShort => 64,
            NumberForm::Hex(digits) => digits * 4,
            NumberForm::Big(bytes) | NumberForm::Little(bytes) => bytes * 8,
            NumberForm::Bool => return 0,
        };
        let all_set = 1_i64.checked_shl(u32::try_from(bits).unwrap_or(u32::MAX)).unwrap_or(0);
        if all_set > 1 { all_set - 2 } else { i64::MAX }
    }

    /// The length that `bytes` are; nothing within for [`NULL_LENGTH`].
    pub fn parse_length(self, bytes: &[u8]) -> Option<Option<usize>> {
        let all_set = match self {
            NumberForm::Hex(_) | NumberForm::HexShort => {
                (self == NumberForm::HexShort && bytes == b"ffffffffffffffff")
                    || (self != NumberForm::HexShort
                        && bytes.iter().all(|digit| matches!(digit, b'f' | b'F')))
            }
            NumberForm::Big(_) | NumberForm::Little(_) => bytes.iter().all(|byte| *byte == 0xff),
            NumberForm::Decimal | NumberForm::Bool => false,
        };
        match self.parse(bytes) {
            _ if all_set => Some(None),
            Some(NULL_LENGTH) => Some(None),
            number => usize::try_from(number?).ok().map(Some),
        }
    }

    /// The number that `bytes` are, without a sign but in decimal.
    pub fn parse(self, bytes: &[u8]) -> Option<i64> {
        let text = || std::str::from_utf8(bytes).ok();
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self {
            NumberForm::Decimal => text()?.trim().parse().ok(),
            NumberForm::Hex(_) | NumberForm::HexShort => {
                i64::try_from(u64::from_str_radix(text()?, 16).ok()?).ok()
            }
            NumberForm::Big(_) => i64::try_from(bytes.iter().fold(0, fold)).ok(),
            NumberForm::Little(_) => i64::try_from(bytes.iter().rev().fold(0, fold)).ok(),
            NumberForm::Bool => text()?.trim().parse().ok().map(|yes: bool| i64::from(yes)),
        }
    }
}

/// Writes two hexadecimal digits for each byte.
pub(super) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' - 10 + half };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// The bytes that hexadecimal digits mean.
pub(super) fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back_in_every_form() {
        for name in ["ascii", "hex64", "hex16", "big64", "big16", "little32", "byte"] {
            let form = NumberForm::read(name).expect("it is a form");
            let mut bytes = Vec::new();
            form.write(&mut bytes, 200);
            assert_eq!(form.parse(&bytes), Some(200), "{name}");
            assert!(form.size().is_none_or(|size| size == bytes.len()), "{name}");
        }
        for wrong in ["", "hex5", "big7", "small8", "big"] {
            assert!(NumberForm::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stands_in_brackets_may_hold_brackets() {
        for (text, inside) in
            [("[a]", "a"), ("##a]##", "a]"), ("{[a]}", "[a]"), ("[[ [a] ]]", " [a] "), ("[]", "")]
        {
            assert_eq!(enclosed(text), Ok(inside), "{text}");
        }
        for wrong in ["", "a", "[a", "[[a]", "[a}", "#", "[", "é"] {
            assert!(enclosed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bytes_are_read_back() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0, 255, 128]] {
            let mut text = Vec::new();
            write_hex(&mut text, bytes);
            assert_eq!(unhex(&text).as_deref(), Some(bytes));
        }
        assert_eq!((unhex(b"0"), unhex(b"0g")), (None, None));
    }
}
