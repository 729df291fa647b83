mod declared;
mod effect;
mod oracle;
mod running;
mod start;

use super::{NodeOptions, Overrides, Resolved, Sources, resolve};

/// What a file with this text gives.
fn from_file(text: &str) -> Resolved {
    resolve(&Sources { file: Some(("server.properties", text)), ..Sources::default() }).expect("a good file")
}

/// Why a file with this text is refused.
fn refused(text: &str) -> String {
    resolve(&Sources { file: Some(("server.properties", text)), ..Sources::default() })
        .expect_err("a bad file")
        .to_string()
}

fn options(text: &str) -> NodeOptions {
    NodeOptions::new(from_file(text))
}

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
