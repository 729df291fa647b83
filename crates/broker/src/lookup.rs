//! A map for what is asked by key only.

use std::borrow::Borrow;
use std::hash::Hash;

/// Finds by key as fast as a hash map, and cannot be walked: the order of a hash map is random, and what a node does must
/// not depend on that.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "this is what keeps its order from being seen")]
pub struct Lookup<K, V>(std::collections::HashMap<K, V>);

impl<K, V> Default for Lookup<K, V> {
    fn default() -> Self {
        Self(Default::default())
    }
}

impl<K: Eq + Hash, V> Lookup<K, V> {
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }
}
