//! Connections that are kept for a webhook's next posts: each leads to the very address that was checked when it was made.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use selfmx_domain::{WebhookId, WebhookUrl};
use tokio::time::Instant;

use crate::Post;
use crate::exchange::Connection;

/// For how long a connection is used in all: then the host is looked up again.
const AGE: Duration = Duration::from_secs(60);

/// How many are kept for one webhook, and how many for all together.
const EACH: usize = 32;
const ALL: usize = 512;

/// The connections that are kept.
pub(crate) struct Kept {
    idle: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    drawers: HashMap<WebhookId, Drawer>,
    total: usize,
}

/// One webhook's, all of them to one URL and for one secret.
struct Drawer {
    whose: Whose,
    idle: Vec<Idle>,
}

/// What a connection is for. Of the secret there is a digest alone.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Whose {
    webhook: WebhookId,
    url: WebhookUrl,
    secret: Vec<u8>,
}

/// A connection, and when it was made.
pub(crate) struct Line {
    pub(crate) connection: Connection,
    pub(crate) made: Instant,
}

struct Idle {
    line: Line,
    since: Instant,
}

impl Whose {
    /// Of this post's webhook.
    pub(crate) fn of(post: &Post<'_>) -> Self {
        let secret = digest(&SHA256, post.secret.reveal().as_bytes()).as_ref().to_vec();
        Self { webhook: post.webhook, url: post.url.clone(), secret }
    }
}

impl Kept {
    /// None yet, and each for so long at most while nobody uses it.
    pub(crate) fn for_as_long_as(idle: Duration) -> Self {
        Self { idle, state: Mutex::default() }
    }

    /// A connection that was kept for it; those of another URL or secret are closed.
    pub(crate) fn take(&self, whose: &Whose) -> Option<Line> {
        let mut state = self.state();
        let drawer = state.drawers.get_mut(&whose.webhook)?;
        if drawer.whose != *whose {
            state.close(whose.webhook);
            return None;
        }
        let idle = drawer.idle.pop()?;
        state.total -= 1;
        (idle.since.elapsed() < self.idle && idle.line.is_young()).then_some(idle.line)
    }

    /// Keeps a connection, where there is room.
    pub(crate) fn put(&self, whose: Whose, line: Line) {
        let mut state = self.state();
        if state.total >= ALL || !line.is_young() {
            return;
        }
        let webhook = whose.webhook;
        if state.drawers.get(&webhook).is_some_and(|drawer| drawer.whose != whose) {
            state.close(webhook);
        }
        let drawer = state.drawers.entry(webhook).or_insert_with(|| Drawer { whose, idle: Vec::new() });
        if drawer.idle.len() >= EACH {
            return;
        }
        drawer.idle.push(Idle { line, since: Instant::now() });
        state.total += 1;
    }

    /// Closes those that nobody has used for a while.
    pub(crate) fn forget_idle(&self) {
        let mut state = self.state();
        for drawer in state.drawers.values_mut() {
            drawer.idle.retain(|idle| idle.since.elapsed() < self.idle && idle.line.is_young());
        }
        state.drawers.retain(|_, drawer| !drawer.idle.is_empty());
        state.total = state.drawers.values().map(|drawer| drawer.idle.len()).sum();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close(&mut self, webhook: WebhookId) {
        let closed = self.drawers.remove(&webhook).map_or(0, |drawer| drawer.idle.len());
        self.total -= closed;
    }
}

impl Line {
    fn is_young(&self) -> bool {
        self.made.elapsed() < AGE
    }
}
