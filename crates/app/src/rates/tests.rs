//! What the rates promise, against a naive model.

use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::*;

const KEY: Bucket = Bucket::Key(ApiKeyId::DEFAULT);
const TENANT: Bucket = Bucket::Tenant(TenantId::DEFAULT);
const MILLISECOND: Duration = Duration::from_millis(1);

fn rate(requests: u32, seconds: u32) -> Rate {
    Rate::new(requests.try_into().unwrap(), seconds.try_into().unwrap())
}

fn limit(requests: u32, seconds: u32) -> RateLimit {
    RateLimit::AtMost(rate(requests, seconds))
}

fn interval(rate: Rate) -> u128 {
    (u128::from(rate.seconds().get()) * 1_000_000_000).div_ceil(u128::from(rate.requests().get()))
}

/// A bucket of tokens, each of which takes `interval` nanoseconds to flow in, counted out naively.
struct Tokens {
    rate: Rate,
    level: u128,
}

impl Tokens {
    fn full(rate: Rate) -> Self {
        Self { rate, level: Self::most(rate) }
    }

    fn most(rate: Rate) -> u128 {
        interval(rate) * u128::from(rate.requests().get())
    }

    fn wait(&mut self, time: Duration) {
        self.level = Self::most(self.rate).min(self.level + time.as_nanos());
    }

    /// What is left where one is there to be taken; else how long until there is.
    fn take(&mut self) -> Result<u128, u128> {
        let interval = interval(self.rate);
        self.level = self.level.checked_sub(interval).ok_or_else(|| interval - self.level)?;
        Ok(self.level / interval)
    }
}

#[test]
fn the_tightest_bucket_speaks_and_a_refusal_charges_none() {
    let (rates, now) = (Rates::new(), Instant::now());
    let buckets = [(KEY, limit(3, 60)), (TENANT, limit(5, 60))];
    let left = |now| rates.spend(&buckets, now).map(|standing| standing.unwrap().remaining);
    assert_eq!((left(now), left(now), left(now)), (Ok(2), Ok(1), Ok(0)));
    let limited = rates.spend(&buckets, now).unwrap_err();
    assert_eq!(limited.standing, Standing { limit: 3, remaining: 0, whole_in: Duration::from_secs(60) });
    assert_eq!(limited.retry_after, Duration::from_secs(20));
    // Three were spent of the tenant's five, whatever was refused, and then the tenant's are the fewer.
    let other = [(Bucket::Key(ApiKeyId::from_uuid(Uuid::from_u128(1))), limit(100, 60)), (TENANT, limit(5, 60))];
    assert_eq!(rates.spend(&other, now).map(|standing| standing.unwrap().remaining), Ok(1));
    assert!(rates.spend(&other, now).is_ok());
    let limited = rates.spend(&other, now).unwrap_err();
    assert_eq!((limited.standing.limit, limited.retry_after), (5, Duration::from_secs(12)));
    assert_eq!(rates.standing(&other[..1], now).unwrap().remaining, 98);
    assert_eq!(rates.standing(&other, now), Some(limited.standing));
}

#[test]
fn of_two_with_as_much_left_the_slower_one_is_tighter() {
    for buckets in [[(KEY, limit(2, 60)), (TENANT, limit(2, 3_600))], [(TENANT, limit(2, 3_600)), (KEY, limit(2, 60))]] {
        let (rates, now) = (Rates::new(), Instant::now());
        assert_eq!(rates.spend(&buckets, now).unwrap().unwrap().whole_in, Duration::from_secs(1_800));
        assert_eq!(rates.standing(&buckets, now).unwrap().whole_in, Duration::from_secs(1_800));
    }
}

#[test]
fn the_longest_wait_counts_where_several_refuse() {
    for buckets in [[(KEY, limit(1, 60)), (TENANT, limit(1, 3_600))], [(TENANT, limit(1, 3_600)), (KEY, limit(1, 60))]] {
        let (rates, now) = (Rates::new(), Instant::now());
        rates.spend(&buckets, now).unwrap();
        assert_eq!(rates.spend(&buckets, now).unwrap_err().retry_after, Duration::from_secs(3_600));
    }
}

#[test]
fn without_a_bucket_there_is_no_limit() {
    let rates = Rates::new();
    assert_eq!(rates.spend(&[], Instant::now()), Ok(None));
    assert_eq!(rates.standing(&[], Instant::now()), None);
    let buckets = [(KEY, RateLimit::Unlimited), (TENANT, limit(1, 60))];
    assert_eq!(rates.spend(&buckets[..1], Instant::now()), Ok(None));
    assert_eq!(rates.spend(&buckets, Instant::now()).unwrap().unwrap().limit, 1);
}

#[test]
fn of_as_many_threads_as_like_no_more_get_through() {
    let (rates, now) = (Rates::new(), Instant::now());
    let buckets = [(KEY, limit(1_000, 60)), (TENANT, limit(700, 60))];
    let spend = || (0..500).filter(|_| rates.spend(&buckets, now).is_ok()).count();
    let through: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(spend)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(through, 700);
    assert_eq!(rates.standing(&buckets[..1], now).unwrap().remaining, 300);
}

#[test]
fn another_rate_forgives_nothing() {
    let (rates, now) = (Rates::new(), Instant::now());
    let through = |limit, most| (0..most).filter(|_| rates.spend(&[(KEY, limit)], now).is_ok()).count();
    assert_eq!(through(limit(100, 60), 50), 50);
    assert_eq!(through(limit(10, 60), 100), 5);
    for _ in 0..10 {
        assert_eq!(through(limit(1_000, 60), 1_000) + through(limit(100, 60), 1_000), 0);
        assert_eq!(through(limit(10, 1), 1_000), 0);
    }
    assert_eq!(rates.standing(&[(KEY, limit(1_000, 60))], now).unwrap().whole_in, Duration::from_secs(60));
}

proptest! {
    #[test]
    fn each_decision_is_the_naive_model_s(
        requests in 1..20_u32,
        seconds in 1..30_u32,
        waits in vec(prop_oneof![Just(0_u64), 0..3_000_u64], 1..200),
    ) {
        let (rates, rate, mut now) = (Rates::new(), rate(requests, seconds), Instant::now());
        let mut model = Tokens::full(rate);
        for wait in waits {
            now += Duration::from_millis(wait);
            model.wait(Duration::from_millis(wait));
            let left_in_model = model.level / interval(rate);
            prop_assert_eq!(u128::from(rates.standing(&[(KEY, RateLimit::AtMost(rate))], now).unwrap().remaining), left_in_model);
            match (rates.spend(&[(KEY, RateLimit::AtMost(rate))], now), model.take()) {
                (Ok(standing), Ok(left)) => {
                    let standing = standing.unwrap();
                    prop_assert_eq!(u128::from(standing.remaining), left);
                    prop_assert_eq!(standing.whole_in.as_nanos(), Tokens::most(rate) - model.level);
                }
                (Err(limited), Err(wait)) => prop_assert_eq!(limited.retry_after.as_nanos(), wait),
                (got, wanted) => prop_assert!(false, "{:?} instead of {:?}", got, wanted),
            }
        }
    }

    #[test]
    fn in_no_time_is_more_than_a_burst_and_what_flows_in(
        choices in vec((1..40_u32, 1..20_u32), 1..4),
        steps in vec((any::<Index>(), prop_oneof![Just(0_u64), 0..2_000_u64]), 1..200),
    ) {
        let (rates, mut now) = (Rates::new(), Instant::now());
        let choices: Vec<_> = choices.into_iter().map(|(requests, seconds)| rate(requests, seconds)).collect();
        let mut through = Vec::new();
        for (choice, wait) in steps {
            let rate = *choice.get(&choices);
            now += Duration::from_millis(wait);
            if rates.spend(&[(KEY, RateLimit::AtMost(rate))], now).is_ok() {
                through.push((now, interval(rate)));
            }
        }
        let burst = choices.iter().copied().map(Tokens::most).max().unwrap();
        for (index, (begin, _)) in through.iter().enumerate() {
            let mut spent = 0;
            for (end, interval) in &through[index..] {
                spent += interval;
                prop_assert!(spent <= burst + (*end - *begin).as_nanos());
            }
        }
    }

    #[test]
    fn who_waits_as_told_gets_through_and_one_millisecond_earlier_does_not(
        requests in (1..50_u32, 1..50_u32),
        seconds in (1..300_u32, 1..300_u32),
    ) {
        let (rates, now) = (Rates::new(), Instant::now());
        let buckets = [(KEY, limit(requests.0, seconds.0)), (TENANT, limit(requests.1, seconds.1))];
        let limited = (0..=50).find_map(|_| rates.spend(&buckets, now).err()).unwrap();
        prop_assert!(rates.spend(&buckets, now + limited.retry_after.saturating_sub(MILLISECOND)).is_err());
        prop_assert!(rates.spend(&buckets, now + limited.retry_after).is_ok());
    }
}
