//! The APIs that the broker serves, with the declarations of their messages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::codec::{self, Slots};
use super::value::Value;
use crate::r#gen::schema::{self, Message};
use crate::r#gen::table;

/// Versions are told in a form that every client can read, whatever it asked in.
const API_VERSIONS: i16 = 18;

/// One served API.
#[derive(Debug)]
pub struct Api {
    pub key: i16,
    pub name: String,
    pub first: i16,
    pub last: i16,
    pub request: Message,
    pub response: Message,
}

impl Api {
    /// A whole frame without its length.
    pub fn frame(
        &self,
        version: i16,
        correlation: i32,
        tree: &Value,
        slots: &Slots,
    ) -> Result<Vec<u8>, String> {
        let mut frame = header(self.key, version, correlation, self.request.is_flexible(version));
        frame.extend(codec::encode(&self.request, self.known(version), tree, slots)?);
        Ok(frame)
    }

    /// The nearest version that has a declaration.
    fn known(&self, version: i16) -> i16 {
        version.clamp(self.request.versions.first, self.request.versions.last)
    }

    /// Reads an answer without its length; it must be used up.
    pub fn answer(&self, version: i16, frame: &[u8]) -> Result<(i32, Value), String> {
        let (head, mut body) = frame.split_first_chunk::<4>().ok_or("an answer without a header")?;
        let mut version = version;
        if self.key == API_VERSIONS {
            // A version that is not known is answered in the form of version 0.
            version = if (self.first..=self.last).contains(&version) { version } else { 0 };
        } else if self.response.is_flexible(version) {
            body = body.split_first().filter(|(tags, _)| **tags == 0).ok_or("the header has tags")?.1;
        }
        let (tree, used) = codec::decode(&self.response, self.known(version), body)?;
        match body.len() - used {
            0 => Ok((i32::from_be_bytes(*head), tree)),
            left => Err(format!("{left} bytes are left behind {tree}")),
        }
    }

    pub fn serves(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

const CLIENT_ID: &str = "oracle";

/// The head of a request.
pub fn header(key: i16, version: i16, correlation: i32, flexible: bool) -> Vec<u8> {
    let mut frame = Vec::with_capacity(64);
    frame.extend(key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(correlation.to_be_bytes());
    frame.extend((CLIENT_ID.len() as i16).to_be_bytes());
    frame.extend(CLIENT_ID.bytes());
    if flexible {
        frame.push(0);
    }
    frame
}

/// Where the header of a request ends that [`header`] wrote.
pub fn header_len(flexible: bool) -> usize {
    header(0, 0, 0, flexible).len()
}

/// Every API that is served, by its name.
pub fn read(root: &Path) -> Result<BTreeMap<String, Api>, String> {
    let dispatch = text(&root.join("crates/broker/src/dispatch.rs"))?;
    let mut apis = BTreeMap::new();
    for name in table::answered(&dispatch).into_keys() {
        let module = crate::r#gen::names::snake(name);
        let message = |kind: &str| {
            let module = format!("{module}_{kind}");
            let path = root.join("crates/wire/schema").join(&module).with_extension("msg");
            schema::parse(&module, &text(&path)?).map_err(|error| error.to_string())
        };
        let (request, response) = (message("request")?, message("response")?);
        let api = Api {
            key: request.key.ok_or("a request without a key")?,
            name: name.to_owned(),
            first: request.versions.first,
            last: table::stable_max(&request),
            request,
            response,
        };
        apis.insert(api.name.clone(), api);
    }
    Ok(apis)
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
