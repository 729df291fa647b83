//! Tells whoever follows a topic that the cluster is gone, and that it is back: the client goes on trying without a word.

use std::time::Duration;

use client::Admin;
use tokio::task::JoinHandle;

use super::Session;
use crate::print::note;

/// How often it is looked whether the cluster is there, and how long it may take to answer.
const LOOK: Duration = Duration::from_secs(5);

/// Looks after the cluster until it is dropped.
#[derive(Debug)]
pub struct Watch {
    task: JoinHandle<()>,
}

impl Watch {
    pub fn begin(session: &Session) -> Watch {
        let (admin, place) = (session.admin.clone(), session.place.to_string());
        Watch { task: tokio::spawn(watch(admin, place)) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(admin: Admin, place: String) {
    let mut gone = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let answered = tokio::time::timeout(LOOK, admin.describe_cluster()).await;
        let there = matches!(answered, Ok(Ok(_)));
        if there == gone {
            gone = !there;
            note(&match gone {
                true => format!("no broker answers at {place}; waiting for one, Ctrl-C ends"),
                false => format!("{place} answers again"),
            });
        }
    }
}
