//! Records that are not in memory, such as those that a consumer reads which was away for long. The disk brings them while
//! others are served; sending them then waits for nobody.

use std::sync::Arc;

use kernel::port::{Disk, Submission};
use tokio::sync::oneshot;

use crate::conn::FileSpan;

/// How many spans one request has brought at a time. More do not come sooner, and stand in the way of others.
const AT_A_TIME: usize = 8;

/// Brings spans into memory. Whether it could be done shows when they are read.
pub(crate) async fn warm(disk: &dyn Disk, spans: Vec<FileSpan>) {
    for group in spans.chunks(AT_A_TIME) {
        let begun: Vec<_> = group.iter().map(|span| begin(disk, span)).collect();
        for told in begun {
            // A disk that ends with the process tells nobody.
            let _ = told.await;
        }
    }
}

fn begin(disk: &dyn Disk, span: &FileSpan) -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    let work = Submission::Warm { file: Arc::clone(&span.file), position: span.position, len: span.len };
    let done = move |_| {
        let _ = tell.send(());
    };
    disk.submit(work, Box::new(done));
    told
}
