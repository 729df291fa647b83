//! A line as bash has it, and names as they may stand on one.

/// What stands at the end of a line that is being typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed {
    /// The words, quotes and backslashes taken away; the last one may not be finished.
    pub words: Vec<String>,
    /// The quote that is open.
    quote: Option<Quote>,
    /// How many bytes of the last word bash keeps: it replaces what comes after the quote that is open, or after the last
    /// character that breaks words.
    kept: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    Single,
    Double,
    /// `$'`, in which a backslash means more than itself.
    Ansi,
}

impl Typed {
    /// Reads a line as bash does, which has words broken at `breaks` besides.
    pub fn read(line: &str, breaks: &str) -> Typed {
        let mut typed = Typed { words: vec![String::new()], quote: None, kept: 0 };
        let (mut begun, mut kept_before_quote) = (false, 0);
        let mut rest = line.chars();
        let mut before = None;
        while let Some(c) = rest.next() {
            match (typed.quote, c) {
                (None, '\'' | '"') => {
                    typed.quote = Some(match (c, before) {
                        ('"', _) => Quote::Double,
                        (_, Some('$')) => Quote::Ansi,
                        (_, _) => Quote::Single,
                    });
                    begun = true;
                    kept_before_quote = typed.kept;
                    typed.kept = typed.len();
                }
                (Some(Quote::Single | Quote::Ansi), '\'') | (Some(Quote::Double), '"') => {
                    typed.quote = None;
                    typed.kept = kept_before_quote;
                }
                (Some(Quote::Double), '\\') => {
                    let next = rest.next();
                    // In these quotes it takes away the meaning of a few characters, and else stands for itself.
                    let plain = next.is_none_or(|next| matches!(next, '"' | '\\' | '$' | '`'));
                    typed.push((!plain).then_some('\\').into_iter().chain(next));
                }
                (None | Some(Quote::Ansi), '\\') => {
                    begun = true;
                    typed.push(rest.next());
                }
                (None, c) if c.is_whitespace() => {
                    if begun {
                        typed.words.push(String::new());
                        typed.kept = 0;
                    }
                    begun = false;
                }
                (quote, c) => {
                    begun = true;
                    let place = typed.len();
                    typed.push([c]);
                    if quote.is_none() && breaks.contains(c) {
                        // This one begins the names of hosts, and is replaced with them.
                        typed.kept = if c == '@' { place } else { typed.len() };
                    }
                }
            }
            before = Some(c);
        }
        typed
    }

    fn push(&mut self, chars: impl IntoIterator<Item = char>) {
        if let Some(word) = self.words.last_mut() {
            word.extend(chars);
        }
    }

    fn len(&self) -> usize {
        self.words.last().map_or(0, String::len)
    }

    /// What bash is to put in the place of what was typed, so that it means this word and nothing else: no part of a name is
    /// ever run.
    pub fn insertion(&self, candidate: &str) -> Option<String> {
        candidate.get(self.kept..)?.chars().map(|c| self.quoted(c)).collect()
    }

    fn quoted(&self, c: char) -> Option<String> {
        Some(match self.quote {
            None if c.is_alphanumeric() || "_-./:=@%+,".contains(c) => c.to_string(),
            None => format!("\\{c}"),
            Some(Quote::Double) if matches!(c, '"' | '\\' | '$' | '`') => format!("\\{c}"),
            Some(Quote::Single) if c == '\'' => r"'\''".to_owned(),
            // It would call up another line, and no backslash keeps it from that without staying itself.
            Some(Quote::Double) if c == '!' => r#""'!'""#.to_owned(),
            Some(Quote::Single | Quote::Double) => c.to_string(),
            // It begins a form of which not every name is a part.
            Some(Quote::Ansi) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'@><=;|&(:";

    fn words(line: &str) -> Vec<String> {
        Typed::read(line, BREAKS).words
    }

    #[test]
    fn a_line_is_split_as_shells_do() {
        assert_eq!(words("riverrun -b h:1  topic "), ["riverrun", "-b", "h:1", "topic", ""]);
        assert_eq!(words(r#"a 'b c' "d\"e\f" f\ g '' "#), ["a", "b c", "d\"e\\f", "f g", "", ""]);
        assert_eq!(words("a 'b"), ["a", "b"]);
        assert_eq!(words(""), [""]);
    }

    #[track_caller]
    fn check(line: &str, name: &str, inserted: &str) {
        assert_eq!(Typed::read(line, BREAKS).insertion(name).as_deref(), Some(inserted), "{line} and {name}");
    }

    #[test]
    fn a_name_is_put_on_the_line_as_one_word_that_runs_nothing() {
        const HOSTILE: &str = "a $(touch b);`c`'d\"e!";
        check("x ", "odd grp", r"odd\ grp");
        check("x odd\\ g", "odd grp", r"odd\ grp");
        check("x ", HOSTILE, r#"a\ \$\(touch\ b\)\;\`c\`\'d\"e\!"#);
        check("x '", HOSTILE, r#"a $(touch b);`c`'\''d"e!"#);
        check("x \"", HOSTILE, r#"a \$(touch b);\`c\`'d\"e"'!'""#);
        check("x '", r"a\", r"a\");
        check("x \"", r"a\", r"a\\");
        assert_eq!(Typed::read("x $'", BREAKS).insertion("$a"), None, "it would mean more than it says");
    }

    #[test]
    fn bash_gets_what_comes_after_what_it_keeps() {
        check("x -b h:1", "h:12", "12");
        check("x --format=j", "--format=json", "json");
        check("x svc@e", "svc@east", "@east");
        check("x od\"d g", "odd grp", "d grp");
        check("x \"od\"d", "odd grp", r"odd\ grp");
        check("x a:\"b\"c", "a:bcd", "bcd");
        check(r"x a\:b", "a:bc", "a:bc");
        check("x 'a:b", "a:bc", "a:bc");
    }
}
