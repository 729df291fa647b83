//! What a node asks of the world outside it. Each port has a real implementation in `host` and a simulated one in `sim`.

pub mod block;
pub mod clock;
pub mod disk;
pub mod entropy;

pub use block::Block;
pub use clock::Clock;
pub use disk::{Disk, DiskFile, Submission};
pub use entropy::Entropy;
