//! What a program wrote is what it would write again.

use super::{Complaint, Tree};

pub fn check(_tree: &Tree) -> Vec<Complaint> {
    Vec::new()
}
