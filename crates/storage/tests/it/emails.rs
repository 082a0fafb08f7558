//! Emails read back: each tenant's own, by every filter, page by page.

use std::collections::BTreeSet;

use selfmx_auth::Principal;
use selfmx_domain::{
    EmailFilter, EmailId, EmailStatus, EmailSummary, NextStep, PageLimit, PageRequest, PageStart, RecipientState, Reply, Total,
};
use selfmx_storage::Outcome;
use selfmx_testing::SeededEntropy;
use time::OffsetDateTime;

use crate::place::{Place, accept, acceptance, admin, draft, system, tenant_admin};

/// What the test knows of an email.
struct Known {
    id: EmailId,
    ours: bool,
    from: String,
    to: BTreeSet<String>,
    tags: BTreeSet<String>,
    created_at: OffsetDateTime,
    status: EmailStatus,
}

impl Known {
    fn passes(&self, filter: &EmailFilter) -> bool {
        self.ours
            && filter.status.is_none_or(|status| status == self.status)
            && filter.from.as_ref().is_none_or(|from| from.to_string() == self.from)
            && filter.to.as_ref().is_none_or(|to| self.to.contains(&to.to_string()))
            && filter.tag.as_ref().is_none_or(|tag| self.tags.contains(tag))
            && filter.since.is_none_or(|since| self.created_at >= since)
            && filter.until.is_none_or(|until| self.created_at < until)
    }
}

fn picked<'a>(entropy: &SeededEntropy, from: &[&'a str]) -> &'a str {
    from[usize::try_from(entropy.below(from.len() as u64)).unwrap()]
}

fn some_of(entropy: &SeededEntropy, from: &[&str]) -> BTreeSet<String> {
    from.iter().filter(|_| entropy.below(3) == 0).map(|text| (*text).to_owned()).collect()
}

const SENDERS: [&str; 3] = ["a@x.example", "A@x.example", "b@x.example"];
const READERS: [&str; 4] = ["r@y.example", "s@y.example", "\"t u\"@y.example", "é@y.example"];
const TAGS: [&str; 3] = ["welcome", "Welcome", "news"];

async fn accept_random(place: &Place, entropy: &SeededEntropy, others: &Principal) -> Known {
    let ours = entropy.below(4) != 0;
    let (from, mut to, tags) = (picked(entropy, &SENDERS), some_of(entropy, &READERS), some_of(entropy, &TAGS));
    if to.is_empty() {
        to.insert(picked(entropy, &READERS).to_owned());
    }
    let permit = if ours { admin().permit() } else { others.permit() };
    let drafted = draft(|parts| {
        parts.from = Some(from.parse().unwrap());
        let mailboxes: Vec<_> = to.iter().map(|address| address.parse().unwrap()).collect();
        parts.to = mailboxes[..1].to_vec();
        parts.bcc = mailboxes[1..].to_vec();
        parts.tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    });
    let accepted = place.store.email_accept(acceptance(&permit.unwrap(), drafted)).await.unwrap();
    Known { id: accepted.id, ours, from: from.to_owned(), to, tags, created_at: accepted.created_at, status: EmailStatus::Queued }
}

/// Leases one email and leaves it so, or gives it one of the ends.
async fn advance_random(place: &Place, entropy: &SeededEntropy, known: &mut [Known]) {
    let Some(lease) = place.lease(1).await.pop() else { return };
    let known = known.iter_mut().find(|known| known.id == lease.work().email_id).unwrap();
    let state = match entropy.below(4) {
        0 => RecipientState::Delivered { attempts: 1, reply: Reply::new(250, None, "taken") },
        1 => RecipientState::Failed { attempts: 1, reason: "no".to_owned() },
        2 => RecipientState::Bounced { attempts: 1, bounce: selfmx_domain::BounceType::Hard, reply: Reply::new(550, None, "no") },
        _ => {
            known.status = EmailStatus::Sending;
            return;
        }
    };
    known.status = EmailStatus::of([&state]);
    let outcomes = lease.work().waiting.iter();
    let outcomes =
        outcomes.map(|waiting| Outcome { ordinal: waiting.ordinal, attempts_before: 0, step: NextStep::Final(state.clone()) }).collect();
    place.store.queue_settle(&system(), &[lease.settle(outcomes)]).await.unwrap();
    // Who bounced may be written to again: here it is about what is found.
    place.database.execute("DELETE FROM suppressions").await;
}

fn random_filter(entropy: &SeededEntropy, known: &[Known]) -> EmailFilter {
    let sometimes = || entropy.below(3) == 0;
    let instant = || known[usize::try_from(entropy.below(known.len() as u64)).unwrap()].created_at;
    let status = EmailStatus::ALL[usize::try_from(entropy.below(7)).unwrap()];
    EmailFilter {
        status: sometimes().then_some(status),
        from: sometimes().then(|| picked(entropy, &SENDERS).parse().unwrap()),
        to: sometimes().then(|| picked(entropy, &READERS).parse().unwrap()),
        tag: sometimes().then(|| picked(entropy, &["welcome", "news", "nobody's"]).to_owned()),
        since: sometimes().then(instant),
        until: sometimes().then(instant),
    }
}

async fn walk(place: &Place, filter: &EmailFilter, limit: PageLimit) -> Vec<EmailSummary> {
    let permit = admin().permit().unwrap();
    let (mut walked, mut start) = (Vec::new(), PageStart::First);
    loop {
        let mut page = place.store.email_list(&permit, filter, PageRequest { start, limit }).await.unwrap();
        assert!(page.total.is_none() && (page.items.len() == usize::from(limit.rows()) || !page.has_more));
        let last = page.items.last().map(|email| email.id);
        walked.append(&mut page.items);
        match last {
            Some(last) if page.has_more => start = PageStart::After(last),
            _ => return walked,
        }
    }
}

#[tokio::test]
async fn every_filter_and_page_agrees_with_the_naive_list() {
    let seed = 20_261_123;
    println!("seed {seed}");
    let (place, entropy) = (Place::new().await, SeededEntropy::new(seed));
    let others = tenant_admin(place.tenant().await);
    let mut known: Vec<Known> = Vec::new();
    for round in 0..150 {
        known.push(accept_random(&place, &entropy, &others).await);
        if entropy.below(2) == 0 {
            advance_random(&place, &entropy, &mut known).await;
        }
        known.sort_by_key(|known| std::cmp::Reverse(known.id));
        let filter = random_filter(&entropy, &known);
        let limit = PageLimit::new(u16::try_from(1 + entropy.below(20)).unwrap()).unwrap();
        let expected: Vec<_> = known.iter().filter(|known| known.passes(&filter)).map(|known| (known.id, known.status)).collect();
        let walked: Vec<_> = walk(&place, &filter, limit).await.iter().map(|email| (email.id, email.status)).collect();
        assert_eq!(walked, expected, "round {round}: {filter:?}");
        let number = u32::try_from(1 + entropy.below(3)).unwrap();
        let request = PageRequest { start: PageStart::Number(number), limit };
        let page = place.store.email_list(&admin().permit().unwrap(), &filter, request).await.unwrap();
        let rows = usize::from(limit.rows());
        let mut chunks = expected.chunks(rows).skip(usize::try_from(number).unwrap() - 1);
        assert_eq!(page.items.iter().map(|email| (email.id, email.status)).collect::<Vec<_>>(), chunks.next().unwrap_or_default());
        assert_eq!(page.total, Some(Total::Exactly(u32::try_from(expected.len()).unwrap())));
        assert_eq!(page.has_more, chunks.next().is_some());
    }
    let seen: BTreeSet<_> = known.iter().map(|known| known.status.as_str()).collect();
    assert_eq!(seen.len(), 5, "the walk came by every status");
}

#[tokio::test]
async fn what_arrives_between_two_pages_neither_repeats_nor_hides_a_row() {
    let place = Place::new().await;
    let mut older = place.accept_many(10).await;
    let (permit, limit) = (admin().permit().unwrap(), PageLimit::new(3).unwrap());
    let (mut walked, mut start) = (Vec::new(), PageStart::First);
    loop {
        let request = PageRequest { start, limit };
        let page = place.store.email_list(&permit, &EmailFilter::default(), request).await.unwrap();
        walked.extend(page.items.iter().map(|email| email.id));
        place.accept_many(2).await;
        match page.items.last() {
            Some(last) if page.has_more => start = PageStart::After(last.id),
            _ => break,
        }
    }
    older.sort_by(|a, b| b.cmp(a));
    walked.retain(|id| older.contains(id));
    assert_eq!(walked, older);
}

#[tokio::test]
async fn a_total_is_exact_up_to_10000_and_a_lower_bound_beyond() {
    let place = Place::new().await;
    place.fill(10_000, "1", "now()").await;
    let permit = admin().permit().unwrap();
    let request = PageRequest { start: PageStart::Number(100), limit: PageLimit::new(100).unwrap() };
    let page = place.store.email_list(&permit, &EmailFilter::default(), request).await.unwrap();
    assert_eq!((page.items.len(), page.has_more, page.total), (100, false, Some(Total::Exactly(10_000))));
    place.accept(|_| {}).await;
    let page = place.store.email_list(&permit, &EmailFilter::default(), request).await.unwrap();
    assert_eq!((page.items.len(), page.has_more, page.total), (100, true, Some(Total::AtLeast(10_000))));
    let far = PageRequest { start: PageStart::Number(u32::MAX), limit: PageLimit::default() };
    assert!(place.store.email_list(&permit, &EmailFilter::default(), far).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn another_tenant_s_email_is_absent_by_every_way() {
    let place = Place::new().await;
    let (mine, theirs) = (tenant_admin(place.tenant().await), tenant_admin(place.tenant().await));
    let my_email = accept(&place.store, &mine.permit().unwrap(), |_| {}).await;
    let their_email = accept(&place.store, &theirs.permit().unwrap(), |_| {}).await;
    for (reader, own, foreign) in [(&mine, Some(my_email), their_email), (&theirs, Some(their_email), my_email), (&admin(), None, my_email)]
    {
        let permit = reader.permit().unwrap();
        assert!(place.store.email_find(&permit, foreign).await.unwrap().is_none());
        assert!(place.store.email_raw(&permit, foreign).await.unwrap().is_none());
        for start in [PageStart::First, PageStart::Number(1), PageStart::After(EmailId::from_uuid(uuid::Uuid::max()))] {
            let request = PageRequest { start, limit: PageLimit::default() };
            let page = place.store.email_list(&permit, &EmailFilter::default(), request).await.unwrap();
            assert_eq!(page.items.iter().map(|email| email.id).collect::<Vec<_>>(), Vec::from_iter(own));
            assert!(page.total.is_none_or(|total| total == Total::Exactly(u32::from(own.is_some()))));
            let filter = EmailFilter { to: "to@y.example".parse().ok(), ..EmailFilter::default() };
            let page = place.store.email_list(&permit, &filter, request).await.unwrap();
            assert_eq!(page.items.len(), usize::from(own.is_some()));
        }
        if let Some(own) = own {
            assert!(place.store.email_find(&permit, own).await.unwrap().is_some());
            assert!(place.store.email_raw(&permit, own).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn a_row_that_no_version_wrote_is_an_error_not_an_absence() {
    let place = Place::new().await;
    let id = place.accept(|_| {}).await;
    place.database.execute("UPDATE emails SET tags = '{}'").await;
    let found = place.store.email_find(&admin().permit().unwrap(), id).await;
    assert!(matches!(found, Err(selfmx_storage::Error::Unreadable("emails.tags"))), "{found:?}");
}
