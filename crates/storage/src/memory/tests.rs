//! What is remembered counts while it is proved to be current, and never longer.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use proptest::prelude::*;
use selfmx_auth::{ApiKey, Authority, Digest, KeyDigests};
use selfmx_domain::{Name, TenantProfile, TenantStatus};
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
const DIGEST: Digest = Digest::from_bytes([1; 32]);
const FORMER: Digest = Digest::from_bytes([2; 32]);
const MOMENT: Duration = Duration::from_millis(1);

fn tenant(id: TenantId) -> Arc<Tenant> {
    let profile = TenantProfile::named(Name::default_key());
    Arc::new(Tenant { id, status: TenantStatus::Active, profile, created_at: NOW, updated_at: NOW })
}

fn key(number: u128) -> ApiKeyId {
    ApiKeyId::from_uuid(uuid::Uuid::from_u128(number))
}

fn found_in(id: TenantId, change: impl FnOnce(&mut StoredKey)) -> FoundKey {
    let mut stored =
        StoredKey { digests: KeyDigests::only(DIGEST), key: ApiKey { id: key(1), ..ApiKey::environment(NOW) }, tenant: tenant(id) };
    change(&mut stored);
    FoundKey { stored: Arc::new(stored), at: NOW }
}

fn found(change: impl FnOnce(&mut StoredKey)) -> FoundKey {
    found_in(TenantId::DEFAULT, change)
}

fn expires(stored: &mut StoredKey, expires_at: OffsetDateTime) {
    stored.key.authority = Authority { expires_at: Some(expires_at), ..stored.key.authority.clone() };
}

/// A pulse that is sent and heard at `now`, when the database's clock shows `at`.
fn beat(memory: &Memory, listening: &Listening<'_>, now: Instant, at: OffsetDateTime) {
    let number = listening.pulse_sent(now);
    memory.pulse_heard(&format!("{number} {}", at.unix_timestamp_nanos() / 1000));
}

fn known(memory: &Memory, digest: &Digest, now: Instant) -> Option<FoundKey> {
    match memory.key(digest, now) {
        Recalled::Known(found) => Some(found),
        Recalled::Unknown(_) => None,
    }
}

fn ask(memory: &Memory, digest: &Digest, now: Instant) -> Question {
    match memory.key(digest, now) {
        Recalled::Known(_) => panic!("it is remembered"),
        Recalled::Unknown(question) => question,
    }
}

fn keep(memory: &Memory, digest: &Digest, found: &FoundKey, now: Instant) {
    memory.keep_key(ask(memory, digest, now), digest, found, now);
}

fn ask_default_tenant(memory: &Memory, now: Instant) -> Option<Question> {
    match memory.default_tenant(now) {
        Recalled::Known(_) => None,
        Recalled::Unknown(question) => Some(question),
    }
}

#[test]
fn a_node_that_does_not_listen_remembers_nothing() {
    let (memory, now) = (Memory::default(), Instant::now());
    keep(&memory, &DIGEST, &found(|_| {}), now);
    memory.keep_default_tenant(ask_default_tenant(&memory, now).unwrap(), &tenant(TenantId::DEFAULT), now);
    assert_eq!(memory.state().keys.len(), 0);
    let listening = memory.listen();
    beat(&memory, &listening, now, NOW);
    assert!(known(&memory, &DIGEST, now).is_none() && ask_default_tenant(&memory, now).is_some());
}

#[test]
fn an_answer_to_what_was_asked_before_the_node_listened_is_not_kept() {
    let (memory, now) = (Memory::default(), Instant::now());
    let (question, tenants) = (ask(&memory, &DIGEST, now), ask_default_tenant(&memory, now).unwrap());
    let listening = memory.listen();
    beat(&memory, &listening, now, NOW);
    memory.keep_key(question, &DIGEST, &found(|_| {}), now);
    memory.keep_default_tenant(tenants, &tenant(TenantId::DEFAULT), now);
    assert!(known(&memory, &DIGEST, now).is_none() && ask_default_tenant(&memory, now).is_some());
}

#[test]
fn what_is_remembered_counts_for_so_long_after_the_last_pulse_was_sent_and_never_longer() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    let known = |now| (known(&memory, &DIGEST, now).is_some(), ask_default_tenant(&memory, now).is_none());
    keep(&memory, &DIGEST, &found(|_| {}), now);
    memory.keep_default_tenant(ask_default_tenant(&memory, now).unwrap(), &tenant(TenantId::DEFAULT), now);
    assert_eq!(known(now), (false, false), "no pulse was heard yet");
    beat(&memory, &listening, now, NOW);
    assert_eq!(known(now + TRUST - MOMENT), (true, true));
    assert_eq!(known(now + TRUST), (false, false));
    // When a pulse is heard does not matter: when it was sent does.
    let number = listening.pulse_sent(now + TRUST);
    assert_eq!(known(now + TRUST), (false, false));
    memory.pulse_heard(&format!("{number} 0"));
    assert_eq!((known(now + TRUST * 2 - MOMENT), known(now + TRUST * 2)), ((true, true), (false, false)));
}

#[test]
fn a_pulse_that_is_not_the_last_one_proves_nothing() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    keep(&memory, &DIGEST, &found(|_| {}), now);
    let first = listening.pulse_sent(now);
    listening.pulse_sent(now);
    for text in [format!("{first} 0"), "3 0".to_owned(), "0 0".to_owned(), "2".to_owned(), "2 x".to_owned(), String::new()] {
        memory.pulse_heard(&text);
        assert!(known(&memory, &DIGEST, now).is_none(), "{text:?}");
    }
    memory.pulse_heard("2 0");
    assert!(known(&memory, &DIGEST, now).is_some());
    drop(listening);
    memory.pulse_heard("2 0");
    assert!(known(&memory, &DIGEST, now).is_none());
}

#[test]
fn with_the_connection_all_trust_is_gone_at_once_and_what_was_remembered_does_not_come_back() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    beat(&memory, &listening, now, NOW);
    keep(&memory, &DIGEST, &found(|_| {}), now);
    assert!(known(&memory, &DIGEST, now).is_some());
    let open = ask(&memory, &FORMER, now);
    drop(listening);
    assert!(known(&memory, &DIGEST, now).is_none());
    let listening = memory.listen();
    beat(&memory, &listening, now, NOW);
    memory.keep_key(open, &FORMER, &found(|stored| stored.digests = KeyDigests::only(FORMER)), now);
    assert!(known(&memory, &DIGEST, now).is_none() && known(&memory, &FORMER, now).is_none());
}

#[test]
fn the_time_of_what_is_known_is_the_database_s() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    beat(&memory, &listening, now, NOW + Duration::from_secs(7));
    keep(&memory, &DIGEST, &found(|_| {}), now);
    assert_eq!(known(&memory, &DIGEST, now + MOMENT).unwrap().at, NOW + Duration::from_secs(7) + MOMENT);
}

#[test]
fn a_key_that_expires_and_a_secret_whose_grace_ends_are_asked_for_from_that_instant_on() {
    let ends = NOW + MOMENT * 2;
    let expiring = found(|stored| expires(stored, ends));
    let rotated = found(|stored| stored.digests.previous = Some((FORMER, ends)));
    for (digest, found) in [(&DIGEST, expiring), (&FORMER, rotated)] {
        let (memory, now) = (Memory::default(), Instant::now());
        let listening = memory.listen();
        beat(&memory, &listening, now, NOW);
        keep(&memory, digest, &found, now);
        assert!(known(&memory, digest, now + MOMENT).is_some());
        assert!(known(&memory, digest, now + MOMENT * 2).is_none());
        assert!(known(&memory, digest, now).is_none(), "it is dropped");
    }
}

#[test]
fn a_key_that_is_not_live_is_never_remembered() {
    let not_live = [
        found(|stored| stored.key.revoked_at = Some(NOW)),
        found(|stored| stored.key.enabled = false),
        found(|stored| expires(stored, NOW)),
        found(|stored| stored.digests = KeyDigests { current: FORMER, previous: Some((DIGEST, NOW)) }),
    ];
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    // Whatever the time, by the pulse, it were looked up at.
    beat(&memory, &listening, now, NOW - Duration::from_secs(1));
    for found in not_live {
        keep(&memory, &DIGEST, &found, now);
        assert_eq!(memory.state().keys.len(), 0, "{:?}", found.stored);
    }
    keep(&memory, &DIGEST, &found(|_| {}), now);
    assert_eq!(memory.state().keys.len(), 1);
}

#[test]
fn what_is_old_is_asked_for_again() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    keep(&memory, &DIGEST, &found(|_| {}), now);
    memory.keep_default_tenant(ask_default_tenant(&memory, now).unwrap(), &tenant(TenantId::DEFAULT), now);
    beat(&memory, &listening, now + OLD, NOW);
    assert!(known(&memory, &DIGEST, now + OLD - MOMENT).is_some() && ask_default_tenant(&memory, now + OLD - MOMENT).is_none());
    assert!(known(&memory, &DIGEST, now + OLD).is_none() && ask_default_tenant(&memory, now + OLD).is_some());
}

#[test]
fn what_changed_is_forgotten_and_nothing_else() {
    let (mine, theirs) = (TenantId::from_uuid(uuid::Uuid::from_u128(7)), TenantId::from_uuid(uuid::Uuid::from_u128(8)));
    let keys = [(1, mine), (2, mine), (3, theirs), (4, TenantId::DEFAULT)];
    let cases = [
        (Changed::Key(key(2)), [true, false, true, true], true),
        (Changed::Key(key(9)), [true; 4], true),
        (Changed::Tenant(mine), [false, false, true, true], true),
        (Changed::Tenant(TenantId::DEFAULT), [true, true, true, false], false),
        (Changed::Anything, [false; 4], false),
    ];
    for (changed, expected, expected_tenant) in cases {
        let (memory, now) = (Memory::default(), Instant::now());
        let listening = memory.listen();
        beat(&memory, &listening, now, NOW);
        for (number, tenant) in keys {
            let digest = Digest::from_bytes([number; 32]);
            let change = |stored: &mut StoredKey| (stored.key.id, stored.digests) = (key(number.into()), KeyDigests::only(digest));
            keep(&memory, &digest, &found_in(tenant, change), now);
        }
        memory.keep_default_tenant(ask_default_tenant(&memory, now).unwrap(), &tenant(TenantId::DEFAULT), now);
        memory.forget(changed);
        let left = keys.map(|(number, _)| known(&memory, &Digest::from_bytes([number; 32]), now).is_some());
        assert_eq!((left, ask_default_tenant(&memory, now).is_none()), (expected, expected_tenant), "{changed:?}");
    }
}

#[test]
fn an_announcement_names_a_key_or_a_tenant_or_can_mean_anything() {
    assert_eq!(Changed::announced(&key(5).to_string()), Changed::Key(key(5)));
    let tenant = TenantId::from_uuid(uuid::Uuid::from_u128(5));
    assert_eq!(Changed::announced(&tenant.to_string()), Changed::Tenant(tenant));
    assert_eq!(Changed::announced("tenant_default"), Changed::Tenant(TenantId::DEFAULT));
    for text in ["", "key_", "tmpl_01h455vb4pex5vsknk084sn02q", "key_01h455vb4pex5vsknk084sn02q tenant_default"] {
        assert_eq!(Changed::announced(text), Changed::Anything, "{text:?}");
    }
}

#[test]
fn a_pulse_is_wanted_once_somebody_asked_and_no_more_until_somebody_asks_again() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    let wanted = || listening.pulse_wanted().now_or_never().is_some();
    assert!(wanted(), "the first one shows that the connection is alive");
    let asks =
        [|memory: &Memory, now| known(memory, &DIGEST, now).is_some(), |memory: &Memory, now| ask_default_tenant(memory, now).is_none()];
    for ask in asks {
        listening.pulse_sent(now);
        assert!(!wanted());
        ask(&memory, now);
        ask(&memory, now);
        assert!(wanted() && !wanted());
    }
}

#[test]
fn a_pulse_is_back_when_it_was_heard() {
    let (memory, now) = (Memory::default(), Instant::now());
    let listening = memory.listen();
    let back = || listening.pulse_back().now_or_never().is_some();
    for _ in 0..2 {
        let number = listening.pulse_sent(now);
        assert!(!back());
        memory.pulse_heard(&format!("{number} 0"));
        assert!(back());
    }
}

/// One step of somebody's: of those who look the key up, or of the one who changes it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of four asks: it has an answer, or a question.
    Ask(usize),
    /// The database answers it.
    Read(usize),
    /// It keeps the answer.
    Keep(usize),
    /// A change is committed.
    Commit,
    /// It is forgotten: only then is it answered.
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4usize).prop_map(Step::Ask),
        (0..4usize).prop_map(Step::Read),
        (0..4usize).prop_map(Step::Keep),
        Just(Step::Commit),
        Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// However look-ups and changes interleave: once a change is answered, what was before it is not known any more.
    #[test]
    fn no_late_answer_brings_back_what_was_forgotten(steps in steps()) {
        let (memory, now) = (Memory::default(), Instant::now());
        let listening = memory.listen();
        beat(&memory, &listening, now, NOW);
        // The version of the row, and of those that were answered; the key's hint stands in for it.
        let (mut row, mut answered) = (0, 0);
        let mut askers: [(Option<Question>, Option<FoundKey>); 4] = Default::default();
        for step in steps {
            match step {
                Step::Ask(asker) => match memory.key(&DIGEST, now) {
                    Recalled::Known(found) => prop_assert!(version(&found) >= answered, "{} was answered", answered),
                    Recalled::Unknown(question) => askers[asker] = (Some(question), None),
                },
                Step::Read(asker) => askers[asker].1 = askers[asker].0.map(|_| found(|stored| stored.key.hint = Some(row.to_string()))),
                Step::Keep(asker) => {
                    if let (Some(question), Some(found)) = std::mem::take(&mut askers[asker]) {
                        memory.keep_key(question, &DIGEST, &found, now);
                    }
                }
                Step::Commit => row += 1,
                Step::Forget => {
                    memory.forget(Changed::Key(key(1)));
                    answered = row;
                }
            }
        }
    }
}

fn version(found: &FoundKey) -> u32 {
    found.stored.key.hint.as_ref().unwrap().parse().unwrap()
}
