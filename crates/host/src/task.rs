//! Work that holds a worker for long.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Does something that takes long without a wait in between, such as opening the logs of many partitions, while other
/// tasks go on. A runtime of one thread has nobody who could take them over.
pub fn long<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::long;

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
}
