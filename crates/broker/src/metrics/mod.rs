//! What monitors read of a node: values of the metrics that [`kernel::metric`] declares, taken when they are asked for.
//!
//! [`traffic`] is counted on the way of requests; all else is held anyway, and [`collect`] looks at it. [`exposition`] makes
//! a text of it, and [`endpoint`] sends that to whoever asks for `/metrics`.
//!
//! *Invariant:* nobody who asks changes anything, or holds more than one text and one small request.

mod collect;
mod endpoint;
mod exposition;
mod traffic;

pub use collect::collect;
pub use endpoint::Endpoint;
pub use exposition::Samples;
pub use traffic::Traffic;
