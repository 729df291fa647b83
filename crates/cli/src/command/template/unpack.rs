//! Binary fields as text: `unpack[…]`, in the letters that rpk and kcat have from Python.

/// What is taken out of bytes, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unpack(Vec<Item>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// A number of so many bytes, at most eight.
    Number { bytes: usize, signed: bool, little: bool },
    /// One byte as it is.
    Byte,
    /// Everything that is left, as it is.
    Rest,
    /// Nothing may be left.
    End,
    /// A blank, which takes nothing.
    Blank,
}

impl Unpack {
    /// Understands the letters: `b` `h` `i` `q` are numbers of one, two, four and eight bytes, capital ones have no sign;
    /// `<` and `>` say that the lowest or the highest byte comes first from there on; `c` or `.` is a byte, `s` the rest,
    /// `$` the end, `x` a blank in what is written.
    pub fn read(text: &str) -> Result<Unpack, String> {
        let mut items = Vec::new();
        let mut little = true;
        for letter in text.chars() {
            if matches!(items.last(), Some(Item::Rest | Item::End)) {
                return Err("in unpack nothing can come after s or $".to_owned());
            }
            let number = |bytes| Item::Number { bytes, signed: letter.is_ascii_lowercase(), little };
            items.push(match letter {
                '<' | '>' => {
                    little = letter == '<';
                    continue;
                }
                'b' | 'B' => number(1),
                'h' | 'H' => number(2),
                'i' | 'I' => number(4),
                'q' | 'Q' => number(8),
                'c' | '.' => Item::Byte,
                's' => Item::Rest,
                '$' => Item::End,
                'x' => Item::Blank,
                _ => {
                    return Err(format!(
                        "{letter:?} is nothing that could be unpacked: < > b B h H i I q Q c . s $ or x is expected"
                    ));
                }
            });
        }
        match items.is_empty() {
            true => Err("unpack needs letters that say what is there, as in unpack[>iq]".to_owned()),
            false => Ok(Unpack(items)),
        }
    }

    /// Writes what `bytes` hold. Where they are not what was expected, that is written.
    pub fn write(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        let mut rest = bytes;
        for item in &self.0 {
            match *item {
                Item::Number { bytes, signed, little } => match rest.split_at_checked(bytes) {
                    Some((number, after)) => {
                        out.extend(decimal(number, signed, little).bytes());
                        rest = after;
                    }
                    None => return out.extend(b"(too short)"),
                },
                Item::Byte => match rest.split_first() {
                    Some((byte, after)) => {
                        out.push(*byte);
                        rest = after;
                    }
                    None => return out.extend(b"(too short)"),
                },
                Item::Rest => out.extend(std::mem::take(&mut rest)),
                Item::End if rest.is_empty() => {}
                Item::End => out.extend(format!("({} bytes more)", rest.len()).bytes()),
                Item::Blank => out.push(b' '),
            }
        }
    }
}

fn decimal(bytes: &[u8], signed: bool, little: bool) -> String {
    let push = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let number = match little {
        true => bytes.iter().rev().fold(0, push),
        false => bytes.iter().fold(0, push),
    };
    // The sign is the highest bit of as many as there are.
    let unused = 64 - 8 * bytes.len().clamp(1, 8);
    match signed {
        true => ((number << unused).cast_signed() >> unused).to_string(),
        false => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(letters: &str, bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        Unpack::read(letters).expect("it is right").write(&mut out, bytes);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{letters}");
    }

    #[test]
    fn numbers_are_read_in_both_orders_and_with_and_without_a_sign() {
        check("bxB", &[0xff, 0xff], "-1 255");
        check(">hx<h", &[1, 2, 1, 2], "258 513");
        check(">ixI", &[0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe], "-2 4294967294");
        check("qxQ", &[0xff; 16], "-1 18446744073709551615");
        check("i", &[1, 0, 0, 0], "1");
    }

    #[test]
    fn bytes_the_rest_and_the_end_are_taken_as_they_are() {
        check("c.s", b"abcd", "abcd");
        check("B$", &[7], "7");
        check("B$", &[7, 8, 9], "7(2 bytes more)");
        check("s", b"", "");
    }

    #[test]
    fn what_is_too_short_says_so() {
        check(">Ixq", &[0, 0, 0, 1, 2], "1 (too short)");
        check("c", b"", "(too short)");
    }

    #[test]
    fn letters_that_mean_nothing_are_refused() {
        for wrong in ["", "<", "z", "s$", "$b", "é"] {
            assert!(Unpack::read(wrong).is_err(), "{wrong}");
        }
    }
}
