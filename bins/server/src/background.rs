//! Tasks in the background that are never to stand still: one that breaks down is begun again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Before a task that broke down is begun again.
const BEFORE_ANOTHER: Duration = Duration::from_secs(5);

/// Keeps `task` at work until `stop`, which the task hears as well. What it does is found in the store by whoever begins it anew.
pub(crate) async fn keep<W>(name: &'static str, stop: CancellationToken, task: impl FnMut() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    keep_with(name, stop, BEFORE_ANOTHER, task).await;
}

async fn keep_with<W>(name: &'static str, stop: CancellationToken, pause: Duration, mut task: impl FnMut() -> W)
where
    W: Future<Output = ()> + Send + 'static,
{
    loop {
        let ended = tokio::spawn(task()).await;
        if ended.is_ok() && stop.is_cancelled() {
            return;
        }
        tracing::error!(task = name, "a task in the background broke down: this is an error of the server's own");
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_breaks_down_or_ends_of_itself_is_begun_again_until_it_is_told_to_stop() {
        let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let task = {
            let (stop, begun) = (stop.clone(), Arc::clone(&begun));
            move || {
                let (stop, begun) = (stop.clone(), Arc::clone(&begun));
                async move {
                    match begun.fetch_add(1, Ordering::Relaxed) {
                        0 => unreachable!("it breaks down"),
                        1 => {}
                        _ => {
                            stop.cancel();
                            stop.cancelled().await;
                        }
                    }
                }
            }
        };
        let kept = keep_with("test", stop, Duration::from_millis(1), task);
        tokio::time::timeout(Duration::from_secs(20), kept).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_task_that_breaks_down_as_it_stops_is_not_begun_again() {
        let (stop, begun) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        stop.cancel();
        let counted = Arc::clone(&begun);
        let task = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async { unreachable!("it breaks down") }
        };
        tokio::time::timeout(Duration::from_secs(20), keep_with("test", stop, Duration::ZERO, task)).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }
}
