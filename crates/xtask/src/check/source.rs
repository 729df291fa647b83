//! Rust source as the checks see it: the same lines, with comments and literals blanked out.

/// Replaces comments, strings and characters by spaces, so that words and braces that are left are code.
pub fn code_only(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    let mut word_before = false;
    while let Some(first) = rest.chars().next() {
        let skipped = skip_length(rest, first, word_before);
        if skipped == 0 {
            code.push(first);
            word_before = first.is_alphanumeric() || first == '_';
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (gone, after) = rest.split_at(skipped.min(rest.len()));
        code.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        word_before = false;
        rest = after;
    }
    code
}

/// How many bytes from here on are a comment or a literal; 0 if this is code.
fn skip_length(rest: &str, first: char, word_before: bool) -> usize {
    match first {
        '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        '/' if rest.starts_with("/*") => block_comment(rest),
        '"' => quoted(rest),
        'b' | 'c' | 'r' if !word_before => prefixed(rest),
        '\'' => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string that starts with its quote.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `b"…"`, `c"…"`, `r"…"`, `r#"…"#`, `br#"…"#`, `b'…'`; 0 for an ordinary word.
fn prefixed(rest: &str) -> usize {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(rest.len());
    let tail = rest.get(prefix..).unwrap_or_default();
    let raw = rest.get(..prefix).is_some_and(|letters| letters.ends_with('r'));
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let opening = tail.get(hashes..).unwrap_or_default();
    if prefix > 2 {
        return 0;
    }
    if raw && opening.starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let body = opening.get(1..).unwrap_or_default();
        return body.find(&end).map_or(rest.len(), |at| prefix + hashes + 1 + at + end.len());
    }
    match tail.chars().next() {
        Some('"') => prefix + quoted(tail),
        Some('\'') => prefix + character(tail),
        _ => 0,
    }
}

/// The length of a character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((after, escaped))) => {
            let from = after + escaped.len_utf8();
            rest.get(from..).and_then(|tail| tail.find('\'')).map_or(0, |at| from + at + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 0,
    }
}

/// Whether `word` stands in `line` on its own.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// A function: where its `fn` stands and how many lines it has to its closing brace.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// All functions with a body, nested ones too, in order of their beginning. Takes the output of [`code_only`].
pub fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    // A function whose body has not begun; and bodies that have not ended, by the depth they began at.
    let mut announced: Option<(String, usize)> = None;
    let mut open: Vec<(usize, String, usize)> = Vec::new();
    let (mut depth, mut brackets) = (0_usize, 0_usize);
    for (index, line) in code.lines().enumerate() {
        for token in tokens(line) {
            match token {
                Token::Fn(name) => announced = Some((name.to_owned(), index + 1)),
                Token::Symbol('(' | '[') => brackets += 1,
                Token::Symbol(')' | ']') => brackets = brackets.saturating_sub(1),
                Token::Symbol(';') if brackets == 0 => announced = None,
                Token::Symbol('{') => {
                    if let Some((name, line)) = announced.take() {
                        open.push((depth, name, line));
                    }
                    depth += 1;
                }
                Token::Symbol('}') => {
                    depth = depth.saturating_sub(1);
                    if let Some((_, name, line)) = open.pop_if(|(at, ..)| *at == depth) {
                        found.push(Function { name, line, lines: index + 2 - line });
                    }
                }
                Token::Symbol(_) => {}
            }
        }
    }
    found.sort_by_key(|function| function.line);
    found
}

enum Token<'a> {
    /// The keyword with the name after it.
    Fn(&'a str),
    Symbol(char),
}

fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut after_fn = false;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word_len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_len.max(first.len_utf8()));
        if word_len > 0 {
            if after_fn {
                tokens.push(Token::Fn(word));
            }
            after_fn = word == "fn";
        } else if !first.is_whitespace() {
            // `fn(` is a type, not a function.
            after_fn = false;
            tokens.push(Token::Symbol(first));
        }
        rest = after;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let source = "a // unsafe\n/* x /* y */\n z */ b \"un\\\"safe\" c r#\"q\"q\"# d 'x' '\\'' '\"' &'a e b\"f\" br\"g\"";
        let code = code_only(source);
        assert_eq!(code.lines().count(), source.lines().count());
        let words: Vec<_> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "c", "d", "&'a", "e"]);
    }

    #[test]
    fn a_word_is_not_part_of_another() {
        assert!(has_word("unsafe { }", "unsafe"));
        assert!(!has_word("deny(unsafe_code) not_unsafe", "unsafe"));
    }

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let code = code_only(
            "trait T {\n    fn declared(&self, a: [u8; 3]);\n    fn given(&self) {\n        if x {\n        }\n    }\n}\n\
             fn outer(f: fn(u8) -> u8)\nwhere\n    T: U,\n{\n    fn inner() {}\n}\n",
        );
        let found: Vec<_> = functions(&code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        let expected = [("given", 3, 4), ("outer", 8, 6), ("inner", 12, 1)];
        assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
    }
}
