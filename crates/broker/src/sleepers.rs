//! Who waits for blocks of a journal: each task once for a block, in memory that is used again.

use std::collections::VecDeque;
use std::task::Waker;

/// How many empty lists are kept: for a block that fills, one that is written, and one that is full.
const SPARES_MAX: usize = 3;

/// The tasks that wait, by the number of the block that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// Ascending. Few, as few blocks are under way.
    blocks: VecDeque<(u64, Vec<Waker>)>,
    spares: Vec<Vec<Waker>>,
}

impl Sleepers {
    /// Wakes the task of `waker` once the block is done. A task that asks several times in a row is woken once.
    pub fn add(&mut self, block: u64, waker: &Waker) {
        let at = self.blocks.partition_point(|(number, _)| *number < block);
        if self.blocks.get(at).is_none_or(|(number, _)| *number != block) {
            let list = self.spares.pop().unwrap_or_default();
            self.blocks.insert(at, (block, list));
        }
        let Some((_, list)) = self.blocks.get_mut(at) else { return };
        if !list.last().is_some_and(|last| last.will_wake(waker)) {
            list.push(waker.clone());
        }
    }

    /// Takes out those who wait for a block. The list is to be given to [`Sleepers::recycle`].
    pub fn done(&mut self, block: u64) -> Vec<Waker> {
        let at = self.blocks.iter().position(|(number, _)| *number == block);
        at.and_then(|at| self.blocks.remove(at)).map(|(_, list)| list).unwrap_or_default()
    }

    /// Takes out everybody.
    pub fn all(&mut self) -> Vec<Waker> {
        self.blocks.drain(..).flat_map(|(_, list)| list).collect()
    }

    /// Keeps the memory of a list whose tasks were woken.
    pub fn recycle(&mut self, list: Vec<Waker>) {
        if list.is_empty() && list.capacity() > 0 && self.spares.len() < SPARES_MAX {
            self.spares.push(list);
        }
    }

    /// Gives the memory of empty lists back.
    pub fn rest(&mut self) {
        self.spares = Vec::new();
        self.blocks.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Task {
        fn woken(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_task_with_several_requests_in_a_block_is_woken_once_for_it() {
        let (one, other) = (Arc::new(Task::default()), Arc::new(Task::default()));
        let (one_waker, other_waker) = (Waker::from(Arc::clone(&one)), Waker::from(Arc::clone(&other)));
        let mut sleepers = Sleepers::default();
        for _ in 0..5 {
            sleepers.add(7, &one_waker);
        }
        sleepers.add(8, &one_waker);
        sleepers.add(7, &other_waker);
        let woken = sleepers.done(7);
        assert_eq!(woken.len(), 2);
        woken.into_iter().for_each(Waker::wake);
        assert_eq!((one.woken(), other.woken()), (1, 1));
        assert!(sleepers.done(7).is_empty(), "nobody is left for it");
        sleepers.all().into_iter().for_each(Waker::wake);
        assert_eq!((one.woken(), other.woken()), (2, 1));
    }

    #[test]
    fn lists_are_used_again() {
        let waker = Waker::from(Arc::new(Task::default()));
        let mut sleepers = Sleepers::default();
        let mut memory = None;
        for block in 0..10 {
            sleepers.add(block, &waker);
            let mut list = sleepers.done(block);
            list.clear();
            assert_eq!(*memory.get_or_insert(list.as_ptr()), list.as_ptr(), "block {block}");
            sleepers.recycle(list);
        }
        sleepers.rest();
        assert!(sleepers.spares.is_empty());
    }
}
