//! A webhook whose endpoint refuses every third post or so, while the server that posts is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use selfmx_testing::{Receiver, SeededEntropy};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Run, Scenario};
use crate::failure::Failure;
use crate::ledger::Outcome;
use crate::load::Plan;
use crate::report::Report;
use crate::stage::{Build, Stage};
use crate::weakness::Weakness;
use crate::world::World;

/// Events that have to arrive.
pub(crate) const WEBHOOK: Scenario = Scenario {
    name: "webhook",
    about: "a webhook that refuses 30 % of all posts at random, told of 10,000 mails (short: 600), and kill -9 of the server 5 times (short: 2): every final event arrives",
    control: "what is refused is recorded as if it were not to be posted again",
    run: |stage| -> Run { Box::pin(refused(stage)) },
};

/// How often out of a hundred a post is refused, and one event at most: there are eight attempts, and a ninth is not what is tested.
const REFUSED: u64 = 30;
const OFTEN: usize = 6;

/// How long nothing may arrive before what is left is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Minutes pass: what is to be posted later is due now.
const TIME_PASSES: &str =
    "UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending' AND lease_token IS NULL AND due_at > now()";
/// What a dead server had leased is nobody's any more.
const LEASES_END: &str = "UPDATE webhook_deliveries SET due_at = now() WHERE status = 'pending' AND lease_token IS NOT NULL";
const LEFT: &str = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'";

/// What the endpoint was told.
#[derive(Default)]
struct Told {
    /// The emails whose final events it took.
    ended: BTreeSet<String>,
    /// How often it has refused each event.
    refused: BTreeMap<String, usize>,
}

impl Told {
    /// The status for a post, by a chance of one in a hundred.
    fn answer(&mut self, post: &Value, chance: u64) -> u16 {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = self.refused.entry(text(post.get("id"))).or_default();
        if chance < REFUSED && *refused < OFTEN {
            *refused += 1;
            return 503;
        }
        if text(post.get("type")) == "delivered" {
            self.ended.insert(text(post.pointer("/data/email_id")));
        }
        204
    }
}

async fn refused(stage: Stage) -> Result<Report, Failure> {
    let (mails, kills) = stage.of((600, 2), (10_000, 5));
    let mut build = Build { weakness: Some(Weakness::NoSecondPost), ..Build::with_lease(5) };
    build.variables.push(("WEBHOOK_ALLOW_PRIVATE", "true".to_owned()));
    let mut world = World::build(stage, build).await?;
    let (told, chance) = (Arc::<Mutex<Told>>::default(), SeededEntropy::new(world.stage.seed));
    let taken = Arc::clone(&told);
    let receiver = Receiver::start(move |post| Some(taken.lock().unwrap_or_else(PoisonError::into_inner).answer(post, chance.below(100))));
    let wanted = json!({"url": receiver.await.url(), "events": ["queued", "sending", "delivered", "bounced", "failed"]});
    world.ask("POST", "/v1/webhooks", &wanted).await?;
    let load = world.load(Plan::of(mails));
    for kill in 1..=kills {
        load.reaches(kill * mails / (kills + 1)).await?;
        world.kill(0).await?;
        world.postgres.execute(LEASES_END).await?;
    }
    load.ended().await?;
    world.drain(PATIENCE).await?;
    posted(&world).await?;
    let books = world.close().await?;
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let accepted = books.requests.iter().filter_map(|request| match &request.outcome {
        Outcome::Accepted(id) => Some(id.clone()),
        Outcome::Refused(_) | Outcome::Unanswered => None,
    });
    let missing = accepted.filter(|id| !told.ended.contains(id)).count();
    let report = Report::of(&books);
    let lines = format!("the final events of {missing} mails never arrived");
    Ok(report.expecting(|_| missing == 0, &lines).expecting(|_| !told.refused.values().all(|times| *times == 0), "nothing was refused"))
}

/// Lets time pass until nothing is left to post, or nothing has changed for long.
async fn posted(world: &World) -> Result<(), Failure> {
    let (mut left, mut changed) = (usize::MAX, Instant::now());
    while changed.elapsed() < PATIENCE {
        world.postgres.execute(TIME_PASSES).await?;
        let now = world.postgres.count(LEFT).await?;
        if now == 0 {
            return Ok(());
        }
        if now < left {
            (left, changed) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
