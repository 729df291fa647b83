use std::fmt;
use std::marker::PhantomData;

use super::{Reader, View};

/// An array inside the bytes it came from: walked over when it was decoded, read again whenever it is iterated.
pub struct ArrayView<'a, T> {
    bytes: &'a [u8],
    count: usize,
    version: i16,
    flexible: bool,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: View<'a>> ArrayView<'a, T> {
    /// Only [`Reader`] makes arrays, from bytes that hold `count` elements and nothing else.
    pub(super) fn new(bytes: &'a [u8], count: usize, version: i16, flexible: bool) -> Self {
        Self { bytes, count, version, flexible, element: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> ArrayIter<'a, T> {
        let reader = Reader::new(self.bytes, self.version, self.flexible);
        ArrayIter { reader, left: self.count, element: PhantomData }
    }

    pub fn first(&self) -> Option<T> {
        self.iter().next()
    }

    /// The elements as owned values. This allocates what the input claims: prefer [`ArrayView::iter`].
    pub fn to_vec(&self) -> Vec<T::Owned> {
        self.iter().map(T::own).collect()
    }
}

impl<T> Default for ArrayView<'_, T> {
    fn default() -> Self {
        Self { bytes: &[], count: 0, version: 0, flexible: false, element: PhantomData }
    }
}

impl<T> Clone for ArrayView<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ArrayView<'_, T> {}

impl<'a, T: View<'a> + fmt::Debug> fmt::Debug for ArrayView<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: View<'a>> IntoIterator for ArrayView<'a, T> {
    type Item = T;
    type IntoIter = ArrayIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: View<'a>> IntoIterator for &ArrayView<'a, T> {
    type Item = T;
    type IntoIter = ArrayIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The elements of an [`ArrayView`], in order.
#[derive(Debug, Clone)]
pub struct ArrayIter<'a, T> {
    reader: Reader<'a>,
    left: usize,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: View<'a>> Iterator for ArrayIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        Some(T::read(&mut self.reader))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<'a, T: View<'a>> ExactSizeIterator for ArrayIter<'a, T> {}
