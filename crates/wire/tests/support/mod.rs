//! A second opinion on the wire format: writes random messages straight from the schema files, sharing nothing with the
//! generated code but the notation's parser.

#![allow(dead_code)] // Each test binary uses its part.

#[path = "../../../xtask/src/gen/schema.rs"]
pub mod schema;

use schema::{Default, Field, Message, Struct, Type};

/// Every message there is, as its schema says.
pub fn schemas() -> Vec<Message> {
    macro_rules! parse {
        ($($group:ident $module:ident $owned:ident $view:ident)*) => {
            vec![$((
                stringify!($module),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../wire/schema/", stringify!($module), ".msg")),
            )),*]
        };
    }
    let texts = wire::for_every_message!(parse);
    let parsed = texts.into_iter().map(|(module, text)| schema::parse(module, text));
    parsed.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}"))
}

/// A small seeded source of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A random message in `version`, as Kafka would write it: tagged fields that have their default are left out.
pub fn random_bytes(message: &Message, version: i16, random: &mut Random) -> Vec<u8> {
    let mut sampler =
        Sampler { message, version, flexible: message.is_flexible(version), random, out: Vec::new() };
    sampler.value_of(&message.structs[0]);
    sampler.out
}

struct Sampler<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    random: &'a mut Random,
    out: Vec<u8>,
}

impl Sampler<'_> {
    fn value_of(&mut self, s: &Struct) {
        let present: Vec<&Field> =
            s.fields.iter().filter(|field| field.versions.contains(self.version)).collect();
        for field in present.iter().filter(|field| field.tag.is_none()) {
            self.field(field, false);
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<&Field> = present.into_iter().filter(|field| field.tag.is_some()).collect();
        tagged.sort_by_key(|field| field.tag);
        tagged.retain(|_| self.random.below(4) > 0);
        self.varint(tagged.len() as u64);
        for field in tagged {
            self.varint(u64::from(field.tag.expect("only tagged fields are here")));
            let outer = std::mem::take(&mut self.out);
            self.field(field, true);
            let value = std::mem::replace(&mut self.out, outer);
            self.varint(value.len() as u64);
            self.out.extend(value);
        }
    }

    /// A value of the field; in a tagged one never the default, which would not have been sent.
    fn field(&mut self, field: &Field, tagged: bool) {
        let nullable = field.nullable.is_some_and(|versions| versions.contains(self.version));
        let null = nullable && self.random.below(4) == 0 && !(tagged && field.default == Default::Null);
        let at_least = u64::from(tagged);
        if field.array {
            let count = if null { None } else { Some(at_least + self.random.below(3)) };
            self.len(count);
            for _ in 0..count.unwrap_or(0) {
                self.one(&field.ty, false);
            }
            return;
        }
        match &field.ty {
            Type::String | Type::Bytes | Type::Records => {
                let len = if null { None } else { Some(at_least + self.random.below(9)) };
                self.text(&field.ty, len, field.inflexible);
            }
            Type::Struct(_) if nullable => {
                let mark = if tagged {
                    u8::from(!null)
                } else if null {
                    0xff
                } else {
                    1
                };
                self.out.push(mark);
                if !null {
                    self.one(&field.ty, false);
                }
            }
            Type::Bool if tagged => self.out.push(u8::from(field.default == Default::OfType)),
            ty => self.one(ty, tagged),
        }
    }

    fn one(&mut self, ty: &Type, tagged: bool) {
        let width = match ty {
            Type::Struct(name) => {
                let s = self.message.find(name).expect("the parser checked that it is declared").clone();
                return self.value_of(&s);
            }
            Type::String | Type::Bytes | Type::Records => {
                let len = self.random.below(9);
                return self.text(ty, Some(len), false);
            }
            Type::Bool => {
                let value = self.random.below(2) as u8;
                return self.out.push(value);
            }
            Type::I8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 | Type::U32 => 4,
            Type::I64 | Type::F64 => 8,
            Type::Uuid => 16,
        };
        for index in 0..width {
            // A number that is a tagged field's default (0, -1 or the largest) must not come up.
            let byte = self.random.next() as u8;
            self.out.push(if tagged && index == 0 { 0x55 } else { byte });
        }
    }

    fn text(&mut self, ty: &Type, len: Option<u64>, inflexible: bool) {
        match ty {
            Type::String if inflexible || !self.flexible => {
                self.out.extend(len.map_or(-1, |len| len as i16).to_be_bytes());
            }
            _ => self.len(len),
        }
        for _ in 0..len.unwrap_or(0) {
            let byte = if *ty == Type::String {
                b'a' + self.random.below(26) as u8
            } else {
                self.random.next() as u8
            };
            self.out.push(byte);
        }
    }

    fn len(&mut self, len: Option<u64>) {
        if self.flexible {
            self.varint(len.map_or(0, |len| len + 1));
        } else {
            self.out.extend(len.map_or(-1, |len| len as i32).to_be_bytes());
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}
