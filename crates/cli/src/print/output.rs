//! What a command found or did, once, in every form in which it can be printed.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::table::Table;
use super::text::visible;
use super::{json, line, make_room, note, tell, terminal_width, yaml};
use crate::command::Format;

/// What is to be printed. A command says all of it, and the form that was asked for takes its part.
#[derive(Debug)]
pub struct Output {
    value: Value,
    facts: Vec<(&'static str, String)>,
    tables: Vec<Table>,
    lines: Vec<String>,
    names: Vec<String>,
    hints: Vec<String>,
}

impl Output {
    /// For programs: all that there is to say.
    pub fn new(value: Value) -> Output {
        Output {
            value,
            facts: Vec::new(),
            tables: Vec::new(),
            lines: Vec::new(),
            names: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// For programs: one thing more to say, under its name.
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Output {
        if let Value::Object(members) = &mut self.value {
            members.insert(name.into(), value.into());
        }
        self
    }

    /// For people: a word and what there is to say about it.
    pub fn fact(mut self, word: &'static str, text: impl Into<String>) -> Output {
        self.facts.push((word, visible(&text.into())));
        self
    }

    /// For people: a line between the facts before it and those after it.
    pub fn gap(mut self) -> Output {
        self.facts.push(("", String::new()));
        self
    }

    /// For people: a sentence.
    pub fn line(mut self, text: impl Into<String>) -> Output {
        self.lines.push(visible(&text.into()));
        self
    }

    /// For people: rows. Tables without any are left out.
    pub fn table(mut self, table: Table) -> Output {
        self.tables.push(table);
        self
    }

    /// For pipes: what `--format name` prints, one a line.
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Output {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// For people, and never into a pipe: what is worth knowing besides.
    pub fn hint(mut self, text: impl Into<String>) -> Output {
        self.hints.push(text.into());
        self
    }

    #[cfg(test)]
    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn print(&self, format: Format) -> Result<(), Unprinted> {
        make_room();
        let printed = match format {
            Format::Json => json::print(&self.value),
            Format::Yaml => yaml::print(&self.value),
            Format::Name => self.print_names(),
            Format::Table => self.print_for_people(false),
            Format::Wide => self.print_for_people(true),
        };
        printed.map_err(|error| Unprinted { error, done: self.done() })
    }

    /// What has changed, where that is what there is to be told.
    fn done(&self) -> Vec<String> {
        match self.value.get("dry_run").and_then(Value::as_bool) {
            Some(false) if self.lines.is_empty() => vec!["what was asked for".to_owned()],
            Some(false) => self.lines.clone(),
            _ => Vec::new(),
        }
    }

    /// A pipe gets names as they are.
    fn print_names(&self) -> io::Result<()> {
        let on_terminal = io::stdout().is_terminal();
        let text = |name: &String| if on_terminal { visible(name) } else { name.clone() };
        self.names.iter().try_for_each(|name| line(&text(name)))
    }

    /// Shows people what they are asked about, beside the results.
    pub fn preview(&self) -> io::Result<()> {
        make_room();
        let mut text = Vec::new();
        let left_out = self.write(&mut text, false, terminal_width(&io::stderr()))?;
        tell(&String::from_utf8_lossy(&text));
        self.say_besides(&left_out);
        Ok(())
    }

    /// Whether it takes more than lines for people.
    fn is_block(&self) -> bool {
        !self.facts.is_empty() || self.tables.iter().any(|table| table.is_shown(true))
    }

    fn print_for_people(&self, wide: bool) -> io::Result<()> {
        let stdout = io::stdout();
        let left_out = self.write(&mut stdout.lock(), wide, terminal_width(&stdout))?;
        self.say_besides(&left_out);
        Ok(())
    }

    fn say_besides(&self, left_out: &[&str]) {
        if !left_out.is_empty() {
            note(&format!("no room here for {}; --format wide shows all", left_out.join(", ")));
        }
        self.hints.iter().for_each(|hint| note(hint));
    }

    /// Writes what is for people, and tells which columns there was no room for.
    fn write(&self, out: &mut dyn Write, wide: bool, fit: Option<usize>) -> io::Result<Vec<&'static str>> {
        self.lines.iter().try_for_each(|text| writeln!(out, "{text}"))?;
        let width = self.facts.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
        for (word, text) in &self.facts {
            writeln!(out, "{}", format!("{word:width$}  {text}").trim_end())?;
        }
        let mut left_out = Vec::new();
        let mut first = self.facts.is_empty();
        for table in self.tables.iter().filter(|table| table.is_shown(wide)) {
            if !first {
                writeln!(out)?;
            }
            first = false;
            left_out.extend(table.write(out, wide, fit)?);
        }
        Ok(left_out)
    }
}

/// Why something could not be printed, and what was done all the same.
#[derive(Debug)]
pub struct Unprinted {
    pub error: io::Error,
    pub done: Vec<String>,
}

/// Prints what came of several things, one after the other as it comes; for programs, as a list at the end.
#[derive(Debug)]
pub struct Several {
    format: Format,
    /// For programs.
    outputs: Vec<Value>,
    /// What was done, for who cannot be shown it otherwise.
    done: Vec<String>,
    /// Why nothing more can be printed.
    unprinted: Option<io::Error>,
    /// Whether what was printed last takes more than lines; nothing if nothing was.
    before: Option<bool>,
}

impl Several {
    pub fn new(format: Format) -> Several {
        Several { format, outputs: Vec::new(), done: Vec::new(), unprinted: None, before: None }
    }

    /// Prints what people read. If it cannot, that is told at the end: what is still to come is done all the same.
    pub fn add(&mut self, output: &Output) {
        self.done.extend(output.done());
        match self.format {
            Format::Json | Format::Yaml => self.outputs.push(output.value.clone()),
            _ if self.unprinted.is_some() => {}
            Format::Name | Format::Table | Format::Wide => self.unprinted = self.print(output).err(),
        }
    }

    fn print(&mut self, output: &Output) -> io::Result<()> {
        let is_name = self.format == Format::Name;
        let is_block = output.is_block();
        if !is_name && !is_block && output.lines.is_empty() {
            return Ok(());
        }
        if !is_name && self.before.is_some_and(|before| before || is_block) {
            line("")?;
        }
        output.print(self.format).map_err(|unprinted| unprinted.error)?;
        self.before = Some(is_block);
        Ok(())
    }

    /// There is no more.
    pub fn end(self) -> Result<(), Unprinted> {
        let printed = match (self.unprinted, self.format) {
            (Some(error), _) => Err(error),
            (None, Format::Json) => json::print(&Value::from(self.outputs)),
            (None, Format::Yaml) => yaml::print(&Value::from(self.outputs)),
            (None, Format::Name | Format::Table | Format::Wide) => Ok(()),
        };
        printed.map_err(|error| Unprinted { error, done: self.done })
    }
}
