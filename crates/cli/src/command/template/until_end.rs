//! Input that ends once: a terminal that is asked again would have to be told so again.

use std::io::{self, BufRead, Read};

/// Input of which nothing is read after its end.
#[derive(Debug)]
pub struct UntilEnd<R> {
    input: R,
    ended: bool,
}

impl<R> UntilEnd<R> {
    pub fn new(input: R) -> UntilEnd<R> {
        UntilEnd { input, ended: false }
    }
}

impl<R: BufRead> Read for UntilEnd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for UntilEnd<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ended {
            return Ok(&[]);
        }
        let there = self.input.fill_buf()?;
        self.ended = there.is_empty();
        Ok(there)
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that it is at its end, and has more.
    struct Terminal(Vec<&'static [u8]>);

    impl Read for Terminal {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.remove(0).read(into)
        }
    }

    #[test]
    fn after_the_end_nothing_is_read() {
        let input = io::BufReader::new(Terminal(vec![b"ab", b"", b"c"]));
        let mut text = String::new();
        let mut input = UntilEnd::new(input);
        input.read_to_string(&mut text).expect("it can be read");
        assert!(text == "ab" && input.fill_buf().expect("it can be read").is_empty(), "{text}");
    }
}
