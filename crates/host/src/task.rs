//! Tasks: those that end together, and work that holds a worker for long.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{AbortHandle, JoinHandle, block_in_place};

tokio::task_local! {
    static SCOPE: Scope;
}

/// Begins a task. It belongs to the scope of the task that begins it, if that has one.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match SCOPE.try_with(Scope::clone) {
        Ok(scope) => scope.spawn(future),
        Err(_) => tokio::spawn(future),
    }
}

/// Tasks that can be ended all at once, as the end of a process would: where several nodes share a process, each has one.
#[derive(Debug, Clone, Default)]
pub struct Scope(Arc<Mutex<Tasks>>);

#[derive(Debug, Default)]
struct Tasks {
    handles: Vec<AbortHandle>,
    paused: bool,
    /// Tasks that had something to do while they were paused.
    waiting: Vec<Waker>,
}

impl Scope {
    /// Begins a task of this scope. What it begins with [`spawn`] belongs to it as well.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let scope = self.clone();
        let task = tokio::spawn(SCOPE.scope(self.clone(), async move {
            let mut future = pin!(future);
            poll_fn(|context| scope.poll(future.as_mut(), context)).await
        }));
        let handles = &mut self.0.lock().handles;
        if handles.len() == handles.capacity() {
            handles.retain(|task| !task.is_finished());
        }
        handles.push(task.abort_handle());
        task
    }

    fn poll<F: Future>(&self, future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut tasks = self.0.lock();
        if tasks.paused {
            tasks.waiting.push(context.waker().clone());
            return Poll::Pending;
        }
        drop(tasks);
        future.poll(context)
    }

    /// Gives no task a turn until [`Scope::resume`], as a stopped process gets none.
    pub fn pause(&self) {
        self.0.lock().paused = true;
    }

    pub fn resume(&self) {
        let waiting = {
            let mut tasks = self.0.lock();
            tasks.paused = false;
            std::mem::take(&mut tasks.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Ends all tasks: none of them gets another turn.
    pub fn abort(&self) {
        let handles = std::mem::take(&mut self.0.lock().handles);
        handles.into_iter().for_each(|task| task.abort());
    }
}

/// Does something that takes long without a wait in between, such as opening the logs of many partitions, while other
/// tasks go on. A runtime of one thread has nobody who could take them over.
pub fn long<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// How many threads [`each`] takes. They wait for the disk most of the time, and syncs that wait together are one.
const THREADS: usize = 16;

/// Does something with each of many items that takes long, such as closing logs, several at a time. A runtime of one thread
/// does it in their order, with a turn for others after each.
pub async fn each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    each_on(THREADS, items, work).await;
}

/// The same for what takes a core and waits for nothing: on as many threads as there are cores.
pub async fn each_on_cores<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    each_on(cores.min(THREADS), items, work).await;
}

async fn each_on<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) {
    if !matches!(
        Handle::try_current().map(|runtime| runtime.runtime_flavor()),
        Ok(RuntimeFlavor::MultiThread)
    ) {
        for item in items {
            work(item);
            tokio::task::yield_now().await;
        }
        return;
    }
    let next = AtomicUsize::new(0);
    let serve = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item);
        }
    };
    block_in_place(|| {
        std::thread::scope(|scope| {
            for _ in 1..threads.min(items.len()) {
                // Without further threads this one does it all.
                let _ = std::thread::Builder::new().name("each".to_owned()).spawn_scoped(scope, serve);
            }
            serve();
        });
    });
}

#[cfg(test)]
mod tests {
    use super::{Scope, each, long, spawn};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_scope_ends_what_its_tasks_have_begun_and_nothing_else() {
        let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
        let scope = Scope::default();
        let (inside, outside) = (told.clone(), told);
        let task = scope.spawn(async move {
            let inner = async move {
                std::future::pending::<()>().await;
                drop(inside);
            };
            spawn(inner).abort_handle()
        });
        let inner = task.await.expect("it ends");
        let other = spawn(async move { outside.send(()) });
        scope.abort();
        assert!(other.await.expect("it goes on").is_ok());
        assert_eq!(tell.recv().await, Some(()));
        assert_eq!(tell.recv().await, None, "what the ended task held is gone");
        assert!(inner.is_finished());
    }

    #[tokio::test]
    async fn a_paused_scope_misses_nothing() {
        let scope = Scope::default();
        let (tell, told) = tokio::sync::oneshot::channel();
        let mut task = scope.spawn(async { told.await.map(|()| 1) });
        scope.pause();
        tell.send(()).expect("it waits");
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!task.is_finished());
        scope.resume();
        assert_eq!((&mut task).await.expect("it ends"), Ok(1));
    }

    #[test]
    fn it_works_in_any_runtime_and_in_none() {
        assert_eq!(long(|| 1), 1);
        let single = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(single.block_on(async { long(|| 2) }), 2);
        let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let other = multi.block_on(async {
            let (tell, told) = tokio::sync::oneshot::channel();
            let waits = tokio::spawn(async { long(move || told.blocking_recv()) });
            // The only worker is held; somebody else has to do this.
            tokio::spawn(async { tell.send(3) });
            waits.await
        });
        assert_eq!(other.expect("it ends").expect("it was told"), 3);
    }

    #[test]
    fn each_item_gets_its_turn_once_in_any_runtime() {
        let items: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
        let count = |item: &AtomicUsize| {
            item.fetch_add(1, Ordering::Relaxed);
        };
        let single = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        single.block_on(each(&items, count));
        let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        multi.block_on(each(&items, count));
        assert!(items.iter().all(|item| item.load(Ordering::Relaxed) == 2));
    }
}
