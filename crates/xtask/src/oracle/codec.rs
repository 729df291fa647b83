//! Requests and responses by their declarations in `crates/wire/schema`, read when the program runs.
//!
//! Nothing here comes from the code that is generated from them, so that a mistake there shows.

use std::collections::HashMap;

use super::value::{Fields, Value};
use crate::r#gen::schema::{Default, Field, Message, Struct, Type};

/// What one side named by itself, by the key under which requests mention it.
pub type Slots = HashMap<String, Value>;

/// Writes a message. A field that the tree lacks has its default, and a value that the declaration forbids, as null
/// where nothing may be null, is written as the type would be.
pub fn encode(message: &Message, version: i16, tree: &Value, slots: &Slots) -> Result<Vec<u8>, String> {
    let mut out =
        Encoder { message, version, flexible: message.is_flexible(version), slots, bytes: Vec::new() };
    let root = message.structs.first().ok_or("a message without a struct")?;
    out.fields(root, tree)?;
    Ok(out.bytes)
}

struct Encoder<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    slots: &'a Slots,
    bytes: Vec<u8>,
}

impl Encoder<'_> {
    fn fields(&mut self, s: &Struct, tree: &Value) -> Result<(), String> {
        let empty = Fields::default();
        let given = if let Value::Struct(fields) = tree { fields } else { &empty };
        let find =
            |field: &Field| given.named.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value);
        let present = |field: &&Field| field.versions.contains(self.version);
        let fields: Vec<&Field> = s.fields.iter().filter(present).collect();
        for field in fields.iter().filter(|field| field.tag.is_none()) {
            let value = find(field).cloned().unwrap_or_else(|| default(field));
            self.field(field, &value)?;
        }
        if !self.flexible {
            return Ok(());
        }
        let mut tags = given.unknown.clone();
        for field in fields {
            if let (Some(tag), Some(value)) = (field.tag, find(field)) {
                let mut inner = Encoder { bytes: Vec::new(), ..*self };
                inner.field(field, value)?;
                tags.push((tag, inner.bytes));
            }
        }
        // Equal tags stay, in their order: a message that has one twice is one of the questions.
        tags.sort_by_key(|(tag, _)| *tag);
        self.uvarint(tags.len() as u64);
        for (tag, bytes) in tags {
            self.uvarint(u64::from(tag));
            self.uvarint(bytes.len() as u64);
            self.bytes.extend(bytes);
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: &Value) -> Result<(), String> {
        let resolved;
        let value = match value {
            Value::Slot(key) => {
                resolved = self.slots.get(key).cloned().unwrap_or_else(|| default(field));
                &resolved
            }
            value => value,
        };
        if !field.array {
            return self.one(field, value);
        }
        match value {
            Value::Array(items) => {
                self.count(Some(items.len()));
                items.iter().try_for_each(|item| self.one(field, item))
            }
            _ => {
                self.count(None);
                Ok(())
            }
        }
    }

    fn one(&mut self, field: &Field, value: &Value) -> Result<(), String> {
        let resolved;
        let value = match value {
            Value::Slot(key) => {
                resolved = self.slots.get(key).cloned().unwrap_or_else(|| default_of_type(&field.ty));
                &resolved
            }
            value => value,
        };
        let number = if let Value::Int(number) = value { *number } else { 0 };
        let narrow = || format!("{} = {value} does not fit its type", field.name);
        match &field.ty {
            Type::Bool => self.bytes.push(u8::from(*value == Value::Bool(true) || number != 0)),
            Type::I8 => self.bytes.extend(i8::try_from(number).map_err(|_| narrow())?.to_be_bytes()),
            Type::I16 => self.bytes.extend(i16::try_from(number).map_err(|_| narrow())?.to_be_bytes()),
            Type::U16 => self.bytes.extend(u16::try_from(number).map_err(|_| narrow())?.to_be_bytes()),
            Type::I32 => self.bytes.extend(i32::try_from(number).map_err(|_| narrow())?.to_be_bytes()),
            Type::U32 => self.bytes.extend(u32::try_from(number).map_err(|_| narrow())?.to_be_bytes()),
            Type::I64 => self.bytes.extend(number.to_be_bytes()),
            Type::F64 => {
                let number = if let Value::Float(number) = value { *number } else { 0.0 };
                self.bytes.extend(number.to_be_bytes());
            }
            Type::Uuid => self.bytes.extend(if let Value::Uuid(id) = value { *id } else { [0; 16] }),
            Type::String => self.string(if let Value::Text(text) = value { Some(text) } else { None }),
            Type::Bytes | Type::Records => {
                let bytes = if let Value::Bytes(bytes) = value { Some(bytes) } else { None };
                self.count(bytes.map(Vec::len));
                self.bytes.extend(bytes.into_iter().flatten());
            }
            Type::Struct(name) => {
                let s = self.message.find(name).ok_or_else(|| format!("no struct {name}"))?;
                if !field.array && field.nullable.is_some_and(|versions| versions.contains(self.version)) {
                    self.bytes.push(if *value == Value::Null { 0xff } else { 1 });
                    if *value == Value::Null {
                        return Ok(());
                    }
                }
                self.fields(s, value)?;
            }
        }
        Ok(())
    }

    fn string(&mut self, text: Option<&String>) {
        if self.flexible {
            self.count(text.map(String::len));
        } else {
            let len = text.map_or(-1, |text| i16::try_from(text.len()).unwrap_or(i16::MAX));
            self.bytes.extend(len.to_be_bytes());
        }
        let longest = if self.flexible { usize::MAX } else { i16::MAX as usize };
        self.bytes.extend(text.into_iter().flat_map(|text| text.bytes().take(longest)));
    }

    /// The length of an array or of bytes, or null.
    fn count(&mut self, count: Option<usize>) {
        if self.flexible {
            self.uvarint(count.map_or(0, |count| count as u64 + 1));
        } else {
            let count = count.map_or(-1, |count| i32::try_from(count).unwrap_or(i32::MAX));
            self.bytes.extend(count.to_be_bytes());
        }
    }

    fn uvarint(&mut self, number: u64) {
        put_uvarint(&mut self.bytes, number);
    }
}

pub fn put_uvarint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What a field has where nothing is said.
pub fn default(field: &Field) -> Value {
    match &field.default {
        Default::Null => Value::Null,
        Default::Text(text) => Value::Text(text.clone()),
        Default::Literal(word) => match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            number => Value::Int(number.parse().unwrap_or(0)),
        },
        Default::OfType if field.array => Value::Array(Vec::new()),
        Default::OfType => default_of_type(&field.ty),
    }
}

fn default_of_type(ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::F64 => Value::Float(0.0),
        Type::Uuid => Value::Uuid([0; 16]),
        Type::String => Value::Text(String::new()),
        Type::Bytes | Type::Records => Value::Bytes(Vec::new()),
        Type::Struct(_) => Value::Struct(Fields::default()),
        _ => Value::Int(0),
    }
}

/// Reads a message; says how many bytes it took.
pub fn decode(message: &Message, version: i16, bytes: &[u8]) -> Result<(Value, usize), String> {
    decode_with(message, version, bytes, false)
}

/// Whether it can be read only by who does not look at how long a tagged field is said to be, as Kafka where it knows the field.
pub fn is_missized(message: &Message, version: i16, bytes: &[u8]) -> bool {
    decode(message, version, bytes).is_err() && decode_with(message, version, bytes, true).is_ok()
}

fn decode_with(message: &Message, version: i16, bytes: &[u8], loose: bool) -> Result<(Value, usize), String> {
    let mut input = Decoder { message, version, flexible: message.is_flexible(version), loose, bytes, at: 0 };
    let root = message.structs.first().ok_or("a message without a struct")?;
    let tree = input.fields(root)?;
    Ok((tree, input.at))
}

struct Decoder<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    /// Takes tagged fields for as long as they are.
    loose: bool,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    fn fields(&mut self, s: &Struct) -> Result<Value, String> {
        let mut fields = Fields::default();
        let present: Vec<&Field> =
            s.fields.iter().filter(|field| field.versions.contains(self.version)).collect();
        for field in present.iter().filter(|field| field.tag.is_none()) {
            let value = self.field(field).map_err(|error| format!("{}: {error}", field.name))?;
            fields.named.push((field.name.clone(), value));
        }
        if !self.flexible {
            return Ok(Value::Struct(fields));
        }
        for _ in 0..self.uvarint()? {
            let tag = u32::try_from(self.uvarint()?).map_err(|_| "a tag beyond 32 bits")?;
            let len = self.uvarint()?;
            let known = present.iter().find(|field| field.tag == Some(tag));
            if let (Some(field), true) = (known, self.loose) {
                let value = self.field(field).map_err(|error| format!("{}: {error}", field.name))?;
                fields.named.push((field.name.clone(), value));
                continue;
            }
            let bytes = self.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            match known {
                Some(field) => {
                    let mut inner = Decoder { bytes, at: 0, ..*self };
                    let value = inner.field(field).map_err(|error| format!("{}: {error}", field.name))?;
                    if inner.at != bytes.len() {
                        return Err(format!("{}: bytes are left in its tag", field.name));
                    }
                    fields.named.push((field.name.clone(), value));
                }
                None => fields.unknown.push((tag, bytes.to_vec())),
            }
        }
        Ok(Value::Struct(fields))
    }

    fn field(&mut self, field: &Field) -> Result<Value, String> {
        if !field.array {
            return self.one(field);
        }
        let Some(count) = self.count()? else {
            return Ok(Value::Null);
        };
        if count > self.bytes.len() - self.at {
            return Err(format!("{count} elements in fewer bytes"));
        }
        (0..count).map(|_| self.one(field)).collect::<Result<_, _>>().map(Value::Array)
    }

    fn one(&mut self, field: &Field) -> Result<Value, String> {
        Ok(match &field.ty {
            Type::Bool => Value::Bool(self.number::<1>()? != [0]),
            Type::I8 => Value::Int(i8::from_be_bytes(self.number()?).into()),
            Type::I16 => Value::Int(i16::from_be_bytes(self.number()?).into()),
            Type::U16 => Value::Int(u16::from_be_bytes(self.number()?).into()),
            Type::I32 => Value::Int(i32::from_be_bytes(self.number()?).into()),
            Type::U32 => Value::Int(u32::from_be_bytes(self.number()?).into()),
            Type::I64 => Value::Int(i64::from_be_bytes(self.number()?)),
            Type::F64 => Value::Float(f64::from_be_bytes(self.number()?)),
            Type::Uuid => Value::Uuid(self.number()?),
            Type::String => {
                let len = if self.flexible {
                    self.count()?
                } else {
                    usize::try_from(i16::from_be_bytes(self.number()?)).ok()
                };
                match len {
                    Some(len) => Value::Text(String::from_utf8_lossy(self.take(len)?).into_owned()),
                    None => Value::Null,
                }
            }
            Type::Bytes | Type::Records => match self.count()? {
                Some(len) => Value::Bytes(self.take(len)?.to_vec()),
                None => Value::Null,
            },
            Type::Struct(name) => {
                let s = self.message.find(name).ok_or_else(|| format!("no struct {name}"))?;
                let nullable =
                    !field.array && field.nullable.is_some_and(|versions| versions.contains(self.version));
                if nullable && i8::from_be_bytes(self.number()?) < 0 {
                    return Ok(Value::Null);
                }
                self.fields(s)?
            }
        })
    }

    fn count(&mut self) -> Result<Option<usize>, String> {
        if self.flexible {
            let count = self.uvarint()?;
            return Ok(count.checked_sub(1).map(|count| usize::try_from(count).unwrap_or(usize::MAX)));
        }
        Ok(usize::try_from(i32::from_be_bytes(self.number()?)).ok())
    }

    fn uvarint(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.number::<1>()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number in more than five bytes".to_owned())
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| "too few bytes".to_owned())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or_else(|| format!("{len} bytes where {} are left", rest.len()))?;
        self.at += len;
        Ok(taken)
    }
}
