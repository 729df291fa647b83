//! `riverrun version`.

use clap::Args;
use serde_json::json;

use super::{Failure, Format};
use crate::print::Output;

/// Say which version this is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  riverrun version
  riverrun version --format json | jq -r .version")]
pub struct Version {}

pub fn run(format: Format) -> Result<(), Failure> {
    let (name, version) = (env!("CARGO_BIN_NAME"), env!("CARGO_PKG_VERSION"));
    let output = Output::new(json!({ "name": name, "version": version }));
    output.line(format!("{name} {version}")).names([version]).print(format).map_err(Failure::from)
}
