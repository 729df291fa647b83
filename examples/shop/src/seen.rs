//! Which events a service has dealt with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The numbers of each product that were seen. A log may give an event twice, after a crash between dealing with it and saying
/// so; this is how a service tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The number that each product must have next.
    next: BTreeMap<String, u64>,
    pub events: u64,
    /// Those that were not dealt with twice.
    pub repeated: u64,
    /// Those that should have come before one that came.
    pub lost: u64,
}

impl Seen {
    /// For whoever begins in the middle: the first number of each product is taken as it comes.
    pub fn is_new(&mut self, product: &str, number: u64) -> bool {
        let next = self.next.entry(product.to_owned()).or_insert(number);
        if number < *next {
            self.repeated += 1;
            return false;
        }
        self.lost += number - *next;
        *next = number + 1;
        self.events += 1;
        true
    }

    /// For whoever has to have all of them: a product begins at 0.
    pub fn from_the_first() -> Self {
        let next = crate::PRODUCTS.iter().map(|product| ((*product).to_owned(), 0)).collect();
        Self { next, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_or_is_missing_is_counted() {
        let mut seen = Seen::from_the_first();
        let taken: Vec<bool> = [0, 1, 1, 0, 4, 5].map(|number| seen.is_new("cup", number)).into();
        assert_eq!(taken, [true, true, false, false, true, true]);
        assert_eq!((seen.events, seen.repeated, seen.lost), (4, 2, 2));
        let mut later = Seen::default();
        assert!(later.is_new("cup", 9) && later.is_new("cup", 10));
        assert_eq!(later.lost, 0);
    }
}
