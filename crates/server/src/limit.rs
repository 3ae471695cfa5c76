//! What a client may still ask, by its plan: a rate and a quota.
//!
//! The *rate* is a generic cell rate algorithm: one instant, the one when the client would have all of its
//! burst again; each request moves it by the pace's interval, and one that would move it further away than
//! the burst is long is refused. The *quota* is a count that begins anew with each day of UTC.
//!
//! Both are one atomic number in the record of the client: no lock, no table, nothing to tidy up. They are
//! in memory only, so a restart gives everybody a full burst and a new quota. A refused request costs
//! nothing of what refused it.
//!
//! They are told as draft-ietf-httpapi-ratelimit-headers-10 has them, in `RateLimit-Policy` and `RateLimit`.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use attache_core::{Plan, Problem, Quota, Rate, Timestamp};
use http::{HeaderMap, HeaderName, HeaderValue};

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

const SECOND: i64 = 1_000_000_000;
/// A day of UTC in seconds: leap seconds are not counted by Unix time.
const DAY: i64 = 24 * 60 * 60;

/// What one client may still ask.
#[derive(Debug)]
pub(crate) struct Limiter {
    bucket: Option<Bucket>,
    allowance: Option<Allowance>,
    /// The plan as `RateLimit-Policy` tells it.
    policy: HeaderValue,
}

impl Limiter {
    /// Begins a plan; `None` for one that limits nothing.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        if plan.is_unlimited() {
            return None;
        }
        let (bucket, allowance) = (plan.rate.map(Bucket::new), plan.quota.map(Allowance::new));
        let policy = list([
            ("rate", bucket.as_ref().map(|bucket| format!("q={};w={}", bucket.burst, seconds(bucket.window())))),
            ("quota", allowance.as_ref().map(|allowance| format!("q={};w={DAY}", allowance.most))),
        ]);
        Some(Self { bucket, allowance, policy })
    }

    /// Takes one request from what is left.
    ///
    /// # Errors
    /// [`Problem::TooManyRequests`], [`Problem::QuotaExceeded`].
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), Problem> {
        if let Some(bucket) = &self.bucket {
            bucket.take(now).map_err(|retry_after| Problem::TooManyRequests { retry_after })?;
        }
        if let Some(allowance) = &self.allowance {
            allowance.take(now).map_err(|retry_after| Problem::QuotaExceeded { retry_after })?;
        }
        Ok(())
    }

    /// Tells what is left.
    pub(crate) fn tell(&self, now: Timestamp, headers: &mut HeaderMap) {
        let told = |(left, reset): (i64, i64)| format!("r={left};t={reset}");
        let left = list([
            ("rate", self.bucket.as_ref().map(|bucket| told(bucket.left(now)))),
            ("quota", self.allowance.as_ref().map(|allowance| told(allowance.left(now)))),
        ]);
        headers.insert(RATELIMIT_POLICY, self.policy.clone());
        headers.insert(RATELIMIT, left);
    }
}

/// A list of strings with parameters (RFC 9651).
fn list(items: [(&str, Option<String>); 2]) -> HeaderValue {
    let mut list = String::new();
    for (name, parameters) in items {
        let Some(parameters) = parameters else { continue };
        let separator = if list.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(list, "{separator}\"{name}\";{parameters}");
    }
    // It has letters, digits and punctuation only.
    HeaderValue::try_from(list).unwrap_or(HeaderValue::from_static(""))
}

/// Nanoseconds as seconds, rounded up: who waits so long has waited enough.
const fn seconds(nanoseconds: i64) -> i64 {
    nanoseconds.saturating_add(SECOND - 1) / SECOND
}

/// The rate. All its spans are nanoseconds; its bounds keep them within `i64`.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: i64,
    burst: i64,
    /// When all of the burst is there again.
    full_at: AtomicI64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            interval: i64::try_from(rate.pace().interval().as_nanos()).unwrap_or(i64::MAX),
            burst: rate.burst().get().into(),
            full_at: AtomicI64::new(i64::MIN),
        }
    }

    /// How long an empty burst takes to be whole again.
    const fn window(&self) -> i64 {
        self.interval.saturating_mul(self.burst)
    }

    /// For how long, from now, not all of the burst is there. Never longer than it takes from nothing: a
    /// clock that was set back must not lock a client out.
    fn missing(&self, full_at: i64, now: i64) -> i64 {
        full_at.saturating_sub(now).clamp(0, self.window())
    }

    /// Takes one; else tells how long to wait for it.
    pub(crate) fn take(&self, now: Timestamp) -> Result<(), Duration> {
        let now = now.unix_nanoseconds();
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let missing = self.missing(full_at, now).saturating_add(self.interval);
            let wait = missing - self.window();
            if wait > 0 {
                return Err(Duration::from_secs(seconds(wait).unsigned_abs()));
            }
            let next = now.saturating_add(missing);
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }

    /// How long to wait until there is one; `None` if there is.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        match self.left(now) {
            (0, seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
            _ => None,
        }
    }

    /// How many are left; and in how many seconds there is one again, or all if there are some.
    fn left(&self, now: Timestamp) -> (i64, i64) {
        let missing = self.missing(self.full_at.load(Ordering::Relaxed), now.unix_nanoseconds());
        let left = (self.window() - missing) / self.interval;
        let until = if left == 0 { missing + self.interval - self.window() } else { missing };
        (left, seconds(until))
    }
}

/// The quota.
#[derive(Debug)]
struct Allowance {
    most: u32,
    /// The day, since 1970, in the upper half; how many were taken on it in the lower.
    taken: AtomicU64,
}

impl Allowance {
    const fn new(quota: Quota) -> Self {
        Self { most: quota.requests().get(), taken: AtomicU64::new(0) }
    }

    /// Today, and how many seconds are left of it.
    fn day(now: Timestamp) -> (u32, i64) {
        let now = now.unix_seconds();
        (u32::try_from(now.div_euclid(DAY)).unwrap_or(0), DAY - now.rem_euclid(DAY))
    }

    /// How many were taken on this day.
    fn taken_on(day: u32, taken: u64) -> u32 {
        let [on, count] = [taken >> 32, taken & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        if on == day { count } else { 0 }
    }

    /// Takes one; else tells how long to wait for it.
    fn take(&self, now: Timestamp) -> Result<(), Duration> {
        let (day, rest) = Self::day(now);
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            let count = Self::taken_on(day, taken);
            if count >= self.most {
                return Err(Duration::from_secs(rest.unsigned_abs()));
            }
            let next = u64::from(day) << 32 | u64::from(count + 1);
            match self.taken.compare_exchange_weak(taken, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => taken = other,
            }
        }
    }

    /// How many are left, and in how many seconds there are all again.
    fn left(&self, now: Timestamp) -> (i64, i64) {
        let (day, rest) = Self::day(now);
        ((self.most - Self::taken_on(day, self.taken.load(Ordering::Relaxed))).into(), rest)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(rate: Option<(&str, u32)>, quota: Option<&str>) -> Limiter {
        let rate = rate.map(|(pace, burst)| Rate::new(pace.parse().unwrap(), NonZeroU32::new(burst)).unwrap());
        Limiter::of(&Plan { rate, quota: quota.map(|quota| quota.parse().unwrap()) }).unwrap()
    }

    fn at(milliseconds: i64) -> Timestamp {
        // The first second of a day.
        Timestamp::from_unix_nanoseconds(20_000 * DAY * SECOND + milliseconds * 1_000_000)
    }

    fn told(limiter: &Limiter, now: Timestamp) -> (String, String) {
        let mut headers = HeaderMap::new();
        limiter.tell(now, &mut headers);
        let text = |name| headers[name].to_str().unwrap().to_owned();
        (text(RATELIMIT_POLICY), text(RATELIMIT))
    }

    fn too_many(seconds: u64) -> Result<(), Problem> {
        Err(Problem::TooManyRequests { retry_after: Duration::from_secs(seconds) })
    }

    fn used_up(seconds: u64) -> Result<(), Problem> {
        Err(Problem::QuotaExceeded { retry_after: Duration::from_secs(seconds) })
    }

    #[test]
    fn a_plan_without_limits_has_no_limiter() {
        assert!(Limiter::of(&Plan::default()).is_none());
    }

    #[test]
    fn a_burst_is_taken_at_once_and_comes_back_at_the_pace() {
        let limiter = limiter(Some(("2/s", 3)), None);
        for _ in 0..3 {
            assert_eq!(limiter.take(at(0)), Ok(()));
        }
        assert_eq!(limiter.take(at(0)), too_many(1));
        assert_eq!(limiter.take(at(499)), too_many(1));
        assert_eq!(limiter.take(at(500)), Ok(()));
        assert_eq!(limiter.take(at(500)), too_many(1));
        // A long pause gives a burst, and no more.
        for _ in 0..3 {
            assert_eq!(limiter.take(at(60_000)), Ok(()));
        }
        assert_eq!(limiter.take(at(60_000)), too_many(1));
    }

    #[test]
    fn a_refused_request_costs_nothing() {
        let limiter = limiter(Some(("1/min", 1)), Some("2/day"));
        assert_eq!(limiter.take(at(0)), Ok(()));
        for _ in 0..5 {
            assert_eq!(limiter.take(at(0)), too_many(60));
        }
        assert_eq!(limiter.take(at(60_000)), Ok(()));
        assert_eq!(limiter.take(at(120_000)), used_up(86_400 - 120));
    }

    #[test]
    fn a_quota_begins_anew_with_the_day() {
        let limiter = limiter(None, Some("2/day"));
        for _ in 0..2 {
            assert_eq!(limiter.take(at(0)), Ok(()));
        }
        assert_eq!(limiter.take(at(86_399_999)), used_up(1));
        assert_eq!(limiter.take(at(86_400_000)), Ok(()));
        assert_eq!(told(&limiter, at(86_400_000)).1, r#""quota";r=1;t=86400"#);
    }

    #[test]
    fn what_is_left_is_told_as_the_draft_has_it() {
        let limiter = limiter(Some(("10/min", 3)), Some("1000/day"));
        let policy = r#""rate";q=3;w=18, "quota";q=1000;w=86400"#;
        for left in [
            r#""rate";r=3;t=0, "quota";r=1000;t=86400"#,
            r#""rate";r=2;t=6, "quota";r=999;t=86400"#,
            r#""rate";r=1;t=12, "quota";r=998;t=86400"#,
            r#""rate";r=0;t=6, "quota";r=997;t=86400"#,
        ] {
            assert_eq!(told(&limiter, at(0)), (policy.to_owned(), left.to_owned()));
            // The last one is refused, and what it is told is the wait that the header told before.
            let _ = limiter.take(at(0));
        }
        assert_eq!(limiter.take(at(0)), too_many(6));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let limiter = limiter(Some(("1/s", 2)), None);
        for _ in 0..2 {
            assert_eq!(limiter.take(at(3_600_000)), Ok(()));
        }
        assert_eq!(limiter.take(at(0)), too_many(1));
        assert_eq!(told(&limiter, at(0)).1, r#""rate";r=0;t=1"#);
        for now in [Timestamp::from_unix_nanoseconds(i64::MIN), Timestamp::from_unix_nanoseconds(i64::MAX)] {
            let _ = limiter.take(now);
            let _ = told(&limiter, now);
        }
    }

    #[test]
    fn the_largest_plan_is_counted_right() {
        let limiter = limiter(Some(("1/h", 1_000_000)), Some("4294967295/day"));
        assert_eq!(limiter.take(at(0)), Ok(()));
        let (policy, left) = told(&limiter, at(0));
        assert_eq!(policy, r#""rate";q=1000000;w=3600000000, "quota";q=4294967295;w=86400"#);
        assert_eq!(left, r#""rate";r=999999;t=3600, "quota";r=4294967294;t=86400"#);
    }

    #[test]
    fn many_at_once_get_no_more_than_there_is() {
        let limiter = limiter(Some(("1/h", 100)), Some("150/day"));
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..100).filter(|_| limiter.take(at(0)).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
