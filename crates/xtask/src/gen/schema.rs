//! The notation of `crates/wire/schema/*.msg`, and what it says.
//!
//! A file opens with what the message is (`request FetchRequest`), its facts one to a line, and then its fields:
//!
//! ```text
//! Name: type[?[versions]] [@versions] [tag N] [= default] [ignorable] [inflexible] [{]
//! ```
//!
//! `?` allows null. Versions are written `3..`, `..4`, `3..4` or `3`; where none are given, all of the enclosing struct are
//! meant. A brace opens the fields of the struct the type names; `struct Name @versions {` declares one for many fields.

use std::fmt;

/// Something a file says that it may not say.
#[derive(Debug, PartialEq)]
pub struct Error {
    pub file: String,
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Versions from `first` through `last`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub fn contains(&self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    pub fn is_within(&self, outer: Versions) -> bool {
        outer.first <= self.first && self.last <= outer.last
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Bool,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// What the type has: zero, empty, no records.
    OfType,
    Null,
    /// A number or a boolean, as written.
    Literal(String),
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub array: bool,
    pub versions: Versions,
    pub nullable: Option<Versions>,
    pub tag: Option<u32>,
    pub default: Default,
    pub ignorable: bool,
    /// Whether the old form of a string stays in flexible versions.
    pub inflexible: bool,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Request,
    Response,
    Header,
    /// Anything that is not sent on its own: what logs and files hold.
    Record,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The file's name without its ending, which is also the module's.
    pub module: String,
    pub kind: Kind,
    pub name: String,
    /// The API key of a request or response, the type of a record that has one.
    pub key: Option<i16>,
    pub versions: Versions,
    pub flexible: Option<i16>,
    pub listeners: Vec<String>,
    /// The version that is served only where unstable versions are enabled.
    pub unstable: Option<i16>,
    /// The lowest version that is advertised, where that is not the lowest that is served.
    pub advertise: Option<i16>,
    pub note: String,
    /// The message itself comes first.
    pub structs: Vec<Struct>,
}

impl Message {
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible.is_some_and(|first| version >= first)
    }

    pub fn find(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|s| s.name == name)
    }
}

/// Reads one file.
pub fn parse(module: &str, text: &str) -> Result<Message, Error> {
    let file = format!("crates/wire/schema/{module}.msg");
    let mut parser = Parser { file, line: 0, open: Vec::new(), done: Vec::new() };
    let message = parser.message(module, text)?;
    check(&message).map_err(|(line, message)| Error { file: parser.file, line, message })?;
    Ok(message)
}

struct Parser {
    file: String,
    line: usize,
    /// Structs whose brace is open, outermost first.
    open: Vec<Struct>,
    done: Vec<Struct>,
}

impl Parser {
    fn error<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error { file: self.file.clone(), line: self.line, message: message.into() })
    }

    fn message(&mut self, module: &str, text: &str) -> Result<Message, Error> {
        let mut header: Option<Message> = None;
        for (index, line) in text.lines().enumerate() {
            self.line = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match &mut header {
                None => header = Some(self.opening(module, line)?),
                Some(message) if self.open.is_empty() => {
                    if !self.fact(message, line)? {
                        if message.versions.first > message.versions.last {
                            return self.error("the versions must be given before the first field");
                        }
                        let root = Struct {
                            name: message.name.clone(),
                            versions: message.versions,
                            fields: Vec::new(),
                        };
                        self.open.push(root);
                        self.body(message.versions, line)?;
                    }
                }
                Some(message) => {
                    let all = message.versions;
                    self.body(all, line)?;
                }
            }
        }
        let Some(mut message) = header else {
            return self.error("the file is empty");
        };
        match self.open.len() {
            0 => message.structs.push(Struct {
                name: message.name.clone(),
                versions: message.versions,
                fields: Vec::new(),
            }),
            1 => message.structs.append(&mut self.open),
            _ => return self.error("a brace is not closed"),
        }
        message.structs.append(&mut self.done);
        Ok(message)
    }

    fn opening(&self, module: &str, line: &str) -> Result<Message, Error> {
        let Some((kind, name)) = line.split_once(' ') else {
            return self.error("expected what the message is and its name");
        };
        let kind = match kind {
            "request" => Kind::Request,
            "response" => Kind::Response,
            "header" => Kind::Header,
            "data" | "metadata" | "coordinator-key" | "coordinator-value" | "remote-log" => Kind::Record,
            other => return self.error(format!("unknown kind of message `{other}`")),
        };
        Ok(Message {
            module: module.to_owned(),
            kind,
            name: name.to_owned(),
            key: None,
            versions: Versions { first: 0, last: -1 },
            flexible: None,
            listeners: Vec::new(),
            unstable: None,
            advertise: None,
            note: String::new(),
            structs: Vec::new(),
        })
    }

    /// Takes a line of the head; says whether it was one.
    fn fact(&self, message: &mut Message, line: &str) -> Result<bool, Error> {
        let Some((word, rest)) = line.split_once(' ').filter(|(word, _)| !word.ends_with(':')) else {
            return Ok(false);
        };
        match word {
            "key" | "type" => message.key = Some(self.number(rest)?),
            "versions" => {
                let (first, last) = rest.split_once('-').unwrap_or((rest, rest));
                message.versions = Versions { first: self.number(first)?, last: self.number(last)? };
            }
            "flexible" => message.flexible = Some(self.number(rest)?),
            "listeners" => message.listeners = rest.split_whitespace().map(str::to_owned).collect(),
            "unstable" => message.unstable = Some(self.number(rest)?),
            "advertise" => message.advertise = Some(self.number(rest)?),
            "note" => message.note = rest.trim_matches('"').to_owned(),
            "struct" => return Ok(false),
            other => return self.error(format!("unknown fact `{other}`")),
        }
        Ok(true)
    }

    /// A line among the fields: a field, a struct for many fields, or the end of either.
    fn body(&mut self, all: Versions, line: &str) -> Result<(), Error> {
        if line == "}" {
            if self.open.len() < 2 {
                return self.error("nothing is open that this brace could close");
            }
            self.done.extend(self.open.pop());
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("struct ") {
            let mut words = rest.trim_end_matches('{').split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            let versions = match words.next().and_then(|word| word.strip_prefix('@')) {
                Some(versions) => self.versions(versions, all)?,
                None => all,
            };
            self.open.push(Struct { name, versions, fields: Vec::new() });
            return Ok(());
        }
        let Some(enclosing) = self.open.last().map(|s| s.versions) else {
            return self.error("a field outside of any struct");
        };
        let opens = line.ends_with('{');
        let field = self.field(line.trim_end_matches('{').trim_end(), enclosing)?;
        let inner = match &field.ty {
            Type::Struct(name) if opens => {
                Some(Struct { name: name.clone(), versions: field.versions, fields: Vec::new() })
            }
            _ if opens => return self.error("only a struct has fields of its own"),
            _ => None,
        };
        if let Some(enclosing) = self.open.last_mut() {
            enclosing.fields.push(field);
        }
        self.open.extend(inner);
        Ok(())
    }

    fn field(&self, line: &str, enclosing: Versions) -> Result<Field, Error> {
        let Some((name, rest)) = line.split_once(": ") else {
            return self.error("expected `Name: type`");
        };
        let mut words = rest.split(' ');
        let ty = words.next().unwrap_or_default();
        let (ty, null) = ty.split_once('?').map_or((ty, None), |(ty, versions)| (ty, Some(versions)));
        let (array, ty) = ty.strip_prefix("[]").map_or((false, ty), |element| (true, element));
        let mut field = Field {
            name: name.to_owned(),
            ty: self.ty(ty)?,
            array,
            versions: enclosing,
            nullable: None,
            tag: None,
            default: Default::OfType,
            ignorable: false,
            inflexible: false,
            line: self.line,
        };
        while let Some(word) = words.next() {
            match word {
                "tag" => field.tag = Some(self.number(words.next().unwrap_or_default())?),
                "=" => field.default = self.default(words.next().unwrap_or_default()),
                "ignorable" => field.ignorable = true,
                "inflexible" => field.inflexible = true,
                word => match word.strip_prefix('@') {
                    Some(versions) => field.versions = self.versions(versions, enclosing)?,
                    None => return self.error(format!("unexpected `{word}`")),
                },
            }
        }
        if let Some(versions) = null {
            let versions = if versions.is_empty() { ".." } else { versions };
            field.nullable = Some(self.versions(versions, field.versions)?);
        }
        Ok(field)
    }

    fn ty(&self, ty: &str) -> Result<Type, Error> {
        Ok(match ty {
            "bool" => Type::Bool,
            "i8" => Type::I8,
            "i16" => Type::I16,
            "u16" => Type::U16,
            "i32" => Type::I32,
            "u32" => Type::U32,
            "i64" => Type::I64,
            "f64" => Type::F64,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            name if name.starts_with(char::is_uppercase) => Type::Struct(name.to_owned()),
            other => return self.error(format!("unknown type `{other}`")),
        })
    }

    fn default(&self, text: &str) -> Default {
        match text {
            "null" => Default::Null,
            text if text.starts_with('"') => Default::Text(text.trim_matches('"').to_owned()),
            text => Default::Literal(text.to_owned()),
        }
    }

    fn versions(&self, text: &str, outer: Versions) -> Result<Versions, Error> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let first = if first.is_empty() { outer.first } else { self.number(first)? };
        let last = if last.is_empty() { outer.last } else { self.number(last)? };
        let versions = Versions { first, last };
        if first > last || !versions.is_within(outer) {
            return self.error(format!("versions {text} are not within {}..{}", outer.first, outer.last));
        }
        Ok(versions)
    }

    fn number<T: std::str::FromStr>(&self, text: &str) -> Result<T, Error> {
        text.parse().or_else(|_| self.error(format!("`{text}` is not a number that fits here")))
    }
}

/// What holds between the parts of a message, and what the generated code relies on.
fn check(message: &Message) -> Result<(), (usize, String)> {
    let wrong = |line: usize, text: String| Err((line, text));
    if matches!(message.kind, Kind::Request | Kind::Response) && message.key.is_none() {
        return wrong(1, "a request or response needs a key".to_owned());
    }
    for (index, s) in message.structs.iter().enumerate() {
        if message.structs.iter().skip(index + 1).any(|other| other.name == s.name) {
            return wrong(1, format!("struct {} is declared twice", s.name));
        }
        for field in &s.fields {
            if let Type::Struct(name) = &field.ty {
                match message.find(name) {
                    None => return wrong(field.line, format!("struct {name} is not declared")),
                    Some(used) if !field.versions.is_within(used.versions) => {
                        return wrong(
                            field.line,
                            format!("struct {name} does not exist in all these versions"),
                        );
                    }
                    Some(_) => {}
                }
            }
            check_field(message, s, field).or_else(|text| wrong(field.line, text))?;
        }
    }
    Ok(())
}

fn check_field(message: &Message, s: &Struct, field: &Field) -> Result<(), String> {
    let scalar =
        !field.array && !matches!(field.ty, Type::String | Type::Bytes | Type::Records | Type::Struct(_));
    if field.nullable.is_some() && scalar {
        return Err("a number cannot be null".to_owned());
    }
    if field.default == Default::Null && field.nullable != Some(field.versions) {
        return Err("null is the default, but not allowed in every version".to_owned());
    }
    let Some(tag) = field.tag else {
        return Ok(());
    };
    if !message.is_flexible(field.versions.first) || field.versions.last != s.versions.last {
        return Err("a tagged field lives from a flexible version to the last".to_owned());
    }
    if field.nullable.is_some_and(|nullable| nullable != field.versions) {
        return Err("a tagged field is nullable always or never".to_owned());
    }
    if field.ty == Type::Records || tag > 127 {
        return Err("records, and tags above 127, cannot be tagged fields here".to_owned());
    }
    if s.fields.iter().any(|other| other.line != field.line && other.tag == Some(tag)) {
        return Err(format!("tag {tag} is taken"));
    }
    Ok(())
}
