//! Whether the time of an answer tells why a key is not valid: unknown, differing from a real one, revoked, expired, switched off.

mod statistics;

use std::time::Instant;

use selfmx_auth::Secret;
use selfmx_domain::{Clock as _, Entropy, Mode};
use selfmx_testing::{HttpClient, OsEntropy, SeededEntropy, SystemClock};
use serde_json::json;

use self::statistics::{VIEWS, difference, median};
use crate::process::KEY;
use crate::world::World;

/// What a key that is not valid can be.
const KINDS: [&str; 5] = ["unknown", "one character off", "revoked", "expired", "disabled"];
/// How many keys of each kind there are, so that no single key's place in an index counts.
const KEYS: usize = 8;
/// How often each kind is measured; twice in each round, so that what two measurements of the same kind differ by is known as well.
const ROUNDS: usize = 600;
/// This variable says another number.
const ROUNDS_VARIABLE: &str = "SELFMX_TIMING_ROUNDS";
/// A difference that is no more than so many times what chance makes of it is none.
const SUSPECT: f64 = 3.0;
/// One that still is more than so many times that in the end is one, ...
const BOUND: f64 = 5.0;
/// ... if it is also so many times the greatest that there was between measurements of the same kind.
const TIMES_THE_SAME: f64 = 1.5;
/// What is suspected is looked for again with so many times the rounds before anybody believes it: a busy machine is not to fail a test.
const ATTEMPTS: [usize; 3] = [1, 2, 4];

#[tokio::test]
async fn the_time_of_an_answer_does_not_tell_why_a_key_is_not_valid() {
    let world = World::start().await;
    let kinds = make(&world).await;
    let mut http = world.server.connect().await;
    measured(&mut http, &kinds, 100, 1).await;
    let (rounds, mut found) = (rounds(), Vec::new());
    for attempt in ATTEMPTS {
        let seed = u64::try_from(SystemClock.now().unix_timestamp()).unwrap();
        found = told_apart(&measured(&mut http, &kinds, rounds * attempt, seed).await, seed);
        if found.is_empty() {
            return;
        }
    }
    let certain: Vec<_> = found.iter().filter(|(score, _)| *score > BOUND).collect();
    assert!(certain.is_empty(), "told apart by time, {} times: {certain:#?}", ATTEMPTS.len());
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says by the environment how much of it")]
fn rounds() -> usize {
    std::env::var(ROUNDS_VARIABLE).map_or(ROUNDS, |text| text.parse().unwrap())
}

/// The secrets of each kind.
async fn make(world: &World) -> Vec<Vec<String>> {
    let mut kinds = vec![Vec::new(); KINDS.len()];
    let unknown = || Secret::generate(Mode::Live, &OsEntropy).reveal().to_owned();
    for _ in 0..KEYS {
        let mut made = Vec::new();
        for kind in &KINDS[1..] {
            made.push(world.key(json!({"name": kind, "permissions": ["send"]})).await);
        }
        let [live, revoked, expired, disabled] = &made[..] else { panic!("as many as there are kinds") };
        assert_eq!(world.server.ask("DELETE", &format!("/v1/api-keys/{}", revoked.id), Some(KEY), None).await.status, 200);
        let secrets = [unknown(), near(&live.secret), revoked.secret.clone(), expired.secret.clone(), disabled.secret.clone()];
        kinds.iter_mut().zip(secrets).for_each(|(kind, secret)| kind.push(secret));
    }
    world.database.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'expired'").await;
    world.database.execute("UPDATE api_keys SET enabled = false WHERE name = 'disabled'").await;
    world.database.execute("ANALYZE").await;
    kinds
}

/// A secret that differs from this one in its middle, with the checksum that belongs to it.
fn near(secret: &str) -> String {
    struct Digits(Vec<u8>);
    impl Entropy for Digits {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = [0_u8; 33];
    let digits = &secret["sk_live_".len()..][..43];
    let other = if digits.as_bytes()[21] == b'1' { '2' } else { '1' };
    for (at, digit) in digits.chars().enumerate() {
        let value = ALPHABET.find(if at == 21 { other } else { digit }).unwrap();
        let mut carry = value;
        for octet in number.iter_mut().rev() {
            carry += usize::from(*octet) * 62;
            *octet = u8::try_from(carry % 256).unwrap();
            carry /= 256;
        }
    }
    let near = Secret::generate(Mode::Live, &Digits(number[1..].to_vec())).reveal().to_owned();
    let same = near.chars().zip(secret.chars()).take(51).filter(|(one, other)| one == other).count();
    assert_eq!(same, 50, "one character of {secret} is another in {near}");
    near
}

/// Microseconds of each round: two for each kind.
async fn measured(http: &mut HttpClient, kinds: &[Vec<String>], rounds: usize, seed: u64) -> Vec<Vec<[f64; 2]>> {
    let chance = SeededEntropy::new(seed);
    let below = |bound: usize| usize::try_from(chance.below(u64::try_from(bound).unwrap())).unwrap();
    let mut times = vec![Vec::with_capacity(rounds); kinds.len()];
    for _ in 0..rounds {
        let mut order: Vec<(usize, usize)> = (0..kinds.len()).flat_map(|kind| [(kind, 0), (kind, 1)]).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, below(last + 1));
        }
        let mut round = vec![[0.0; 2]; kinds.len()];
        for (kind, which) in order {
            let secret = &kinds[kind][below(kinds[kind].len())];
            let begin = Instant::now();
            let answer = http.send("GET", "/v1/api-keys/me", Some(secret), None).await.unwrap();
            round[kind][which] = begin.elapsed().as_secs_f64() * 1e6;
            assert_eq!(answer.status, 401);
        }
        round.into_iter().zip(&mut times).for_each(|(two, times)| times.push(two));
    }
    times
}

/// Which kinds seem to be told apart, by how much and how certainly. All numbers are printed.
fn told_apart(times: &[Vec<[f64; 2]>], seed: u64) -> Vec<(f64, String)> {
    let chance = SeededEntropy::new(seed);
    let column = |kind: usize, which: usize| -> Vec<f64> { times[kind].iter().map(|two| two[which]).collect() };
    let both = |kind: usize| -> Vec<f64> { times[kind].iter().flatten().copied().collect() };
    println!("{} rounds of {} requests, seed {seed}", times[0].len(), times.len() * 2);
    let mut found = Vec::new();
    for (view, counted) in VIEWS {
        println!(" {view}, {counted:?} of a hundred:");
        let mut same = 0.0_f64;
        for (kind, name) in KINDS.iter().enumerate() {
            let within = difference(&column(kind, 0), &column(kind, 1), &counted, &chance);
            same = same.max(within.score());
            println!("  {name:<18} median {:8.1} us; against itself {within}", median(&both(kind)));
        }
        let mut seen = 0.0_f64;
        for (one, name) in KINDS.iter().enumerate() {
            for (other, against) in KINDS.iter().enumerate().skip(one + 1) {
                let between = difference(&both(one), &both(other), &counted, &chance);
                println!("  {name:<18} against {against:<18} {between}");
                seen = seen.max(between.beyond(BOUND));
                if between.score() > SUSPECT.max(TIMES_THE_SAME * same) {
                    found.push((between.score(), format!("{view}: {name} and {against}: {between}")));
                }
            }
        }
        println!("  a difference of {seen:.1} us would have been found");
    }
    found
}
