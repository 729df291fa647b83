//! Templates out of the text that a person wrote.

use std::str::FromStr;

use super::forms::{AttributeForm, BytesForm, NumberForm, TimeForm};
use super::{Attribute, Field, Number, Piece, Template};

/// How deep braces may be within braces.
const DEPTH_MAX: usize = 2;

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Template, String> {
        pieces(text, 0).map(Template)
    }
}

fn pieces(text: &str, depth: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => rest = escape(rest, &mut plain)?,
            '%' => {
                let (piece, after) = percent(rest, depth)?;
                rest = after;
                match piece {
                    Piece::Text(text) => plain.extend(text),
                    piece => {
                        push_text(&mut pieces, &mut plain);
                        pieces.push(piece);
                    }
                }
            }
            c => plain.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    push_text(&mut pieces, &mut plain);
    Ok(pieces)
}

/// A text in which a backslash means what it means in a template.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => rest = escape(rest, &mut bytes)?,
            c => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Ok(bytes)
}

fn push_text(pieces: &mut Vec<Piece>, plain: &mut Vec<u8>) {
    if !plain.is_empty() {
        pieces.push(Piece::Text(std::mem::take(plain)));
    }
}

/// What a backslash makes of what follows it; returns the rest.
fn escape<'t>(rest: &'t str, out: &mut Vec<u8>) -> Result<&'t str, String> {
    let wrong = || "after a backslash n, t, r, 0, \\ or xHH is expected".to_owned();
    let letter = rest.chars().next().ok_or_else(wrong)?;
    let after = rest.get(letter.len_utf8()..).unwrap_or_default();
    out.push(match letter {
        'n' => b'\n',
        't' => b'\t',
        'r' => b'\r',
        '0' => 0,
        '\\' => b'\\',
        'x' => {
            let digits = after.get(..2).ok_or_else(wrong)?;
            out.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
            return Ok(after.get(2..).unwrap_or_default());
        }
        _ => return Err(wrong()),
    });
    Ok(after)
}

/// What stands after a percent sign; returns the rest.
fn percent(rest: &str, depth: usize) -> Result<(Piece, &str), String> {
    let letter = rest.chars().next().ok_or_else(|| unknown(None))?;
    let rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    // Braces after these are no form.
    if matches!(letter, '{' | '}' | '%') {
        return Ok((Piece::Text(vec![letter as u8]), rest));
    }
    let (form, rest) = braces(rest)?;
    let number = || form.map_or(Ok(NumberForm::Decimal), NumberForm::read);
    let bytes =
        |field| Ok::<_, String>(Piece::Bytes(field, form.map_or(Ok(BytesForm::Raw), BytesForm::read)?));
    let piece = match letter {
        't' => bytes(Field::Topic)?,
        'k' => bytes(Field::Key)?,
        'v' => bytes(Field::Value)?,
        'T' => Piece::Length(Field::Topic, number()?),
        'K' => Piece::Length(Field::Key, number()?),
        'V' => Piece::Length(Field::Value, number()?),
        'p' => Piece::Number(Number::Partition, number()?),
        'o' => Piece::Number(Number::Offset, number()?),
        'e' => Piece::Number(Number::LeaderEpoch, number()?),
        'x' => Piece::Number(Number::ProducerId, number()?),
        'y' => Piece::Number(Number::ProducerEpoch, number()?),
        '[' => Piece::Number(Number::LogStart, number()?),
        '|' => Piece::Number(Number::LastStable, number()?),
        ']' => Piece::Number(Number::HighWatermark, number()?),
        'a' => attribute(form.unwrap_or_default())?,
        'H' => Piece::Number(Number::Headers, number()?),
        'i' => Piece::Number(Number::Count, number()?),
        'd' => Piece::Time(form.map_or(Ok(TimeForm::Number(NumberForm::Decimal)), TimeForm::read)?),
        'h' if depth + 1 < DEPTH_MAX => {
            Piece::Headers(pieces(form.ok_or("%h needs braces: %h{%k=%v }")?, depth + 1)?)
        }
        letter => return Err(unknown(Some(letter))),
    };
    Ok((piece, rest))
}

fn unknown(letter: Option<char>) -> String {
    let kafkacat = match letter {
        Some('s') => "; %s of kcat is %v here",
        Some('S') => "; %S of kcat is %V here",
        Some('h') => "; headers have no headers of their own",
        _ => "",
    };
    format!("after % one of t T k K v V h H p o e d a x y [ | ] i {{ }} % is expected{kafkacat}")
}

/// Which attribute is meant, and in which form after a semicolon.
fn attribute(text: &str) -> Result<Piece, String> {
    let (name, form) = text.split_once(';').map_or((text, None), |(name, form)| (name, Some(form)));
    let attribute = match name {
        "compression" => Attribute::Compression,
        "timestamp-type" => Attribute::TimestampType,
        "transactional-bit" => Attribute::Transactional,
        "control-bit" => Attribute::Control,
        _ => {
            return Err("%a needs to know which attribute: %a{compression}, %a{timestamp-type}, %a{transactional-bit} or \
                 %a{control-bit}; a form of a number may follow a semicolon"
                .to_owned());
        }
    };
    let form = match (form, attribute) {
        (Some(form), _) => AttributeForm::Number(NumberForm::read(form)?),
        (None, Attribute::Compression) => AttributeForm::Name,
        (None, _) => AttributeForm::Number(NumberForm::Decimal),
    };
    Ok(Piece::Attribute(attribute, form))
}

/// What stands in the braces at the beginning of a text, if there are any, and what is after them.
fn braces(text: &str) -> Result<(Option<&str>, &str), String> {
    let Some(inside) = text.strip_prefix('{') else {
        return Ok((None, text));
    };
    let mut open = 1;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok((inside.get(..at), inside.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(format!("a brace is not closed: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_forms_and_escapes_are_understood() {
        let template: Template = "%k{hex}\\t%V{big32}%%\\x00%h{%k=%v }%d{date}".parse().expect("it is right");
        assert_eq!(
            template.0,
            [
                Piece::Bytes(Field::Key, BytesForm::Hex),
                Piece::Text(b"\t".to_vec()),
                Piece::Length(Field::Value, NumberForm::Big(4)),
                Piece::Text(b"%\0".to_vec()),
                Piece::Headers(vec![
                    Piece::Bytes(Field::Key, BytesForm::Raw),
                    Piece::Text(b"=".to_vec()),
                    Piece::Bytes(Field::Value, BytesForm::Raw),
                    Piece::Text(b" ".to_vec()),
                ]),
                Piece::Time(TimeForm::Date),
            ]
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for wrong in [
            "%",
            "%z",
            "%k{",
            "%k{rot13}",
            "%p{json}",
            "\\",
            "\\q",
            "\\x1",
            "%h",
            "%h{%h{%k}}",
            "%a",
            "%a{crc}",
            "%a{compression;rot13}",
            "%d{strftime}",
            "%d{strftime[%Q]}",
            "%d{go}",
            "%v{unpack[z]}",
        ] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
        let error = "%s".parse::<Template>().expect_err("it is kcat's");
        assert!(error.contains("a x y [ | ]") && error.contains("%v"), "{error}");
    }
}
