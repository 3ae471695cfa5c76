//! Guesses at secrets, codes and `auth_req_id`s are slowed down.
//!
//! What is guessed at has 128 random bits or more, so this is no wall before weak secrets: it keeps a
//! guesser from keeping the server busy, and shows in the metrics. Failures count by the address that
//! they come from, and by that address and the client together. So somebody else's guesses never lock a
//! client out at its own address.
//!
//! The memory is bounded: of the addresses that were not heard of for longest, the failures are
//! forgotten. Whoever has so many addresses is not slowed down by counting any.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use attache_core::{Pace, Problem, PublisherName, Rate, Timestamp};
use quick_cache::sync::Cache;

use crate::limit::Bucket;

/// How many addresses are remembered, and how many pairs of address and client: at some 60 bytes each.
const REMEMBERED: usize = 50_000;

/// Counts failures, and refuses those who had too many.
pub(crate) struct Throttle {
    /// What is remembered is named by a keyed hash, so that nobody can choose whose place to share.
    hasher: RandomState,
    failures: Cache<u64, Arc<Bucket>>,
    of_client: Rate,
    of_address: Rate,
}

/// Who tries.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Where.
    pub(crate) publisher: &'a PublisherName,
    /// As whom.
    pub(crate) client_id: &'a str,
    /// From where, if that is known.
    pub(crate) source: Option<IpAddr>,
}

impl Throttle {
    /// After so many failures in a row, at such a pace, for one client at one address and for all at one
    /// address.
    pub(crate) fn new(of_client: Rate, of_address: Rate) -> Self {
        Self { hasher: RandomState::new(), failures: Cache::new(2 * REMEMBERED), of_client, of_address }
    }

    /// The throttle of a server: 30 failures of a client at an address and then 10 a minute; 300 of an
    /// address and then 100 a minute.
    pub(crate) fn usual() -> Option<Self> {
        let rate = |pace: &str, burst| {
            let pace: Pace = pace.parse().ok()?;
            Rate::new(pace, NonZeroU32::new(burst)).ok()
        };
        Some(Self::new(rate("10/min", 30)?, rate("100/min", 300)?))
    }

    /// Refuses whoever had too many failures.
    ///
    /// # Errors
    /// [`Problem::TooManyRequests`].
    pub(crate) fn admit(&self, attempt: Attempt<'_>, now: Timestamp) -> Result<(), Problem> {
        let waits = self.keys(attempt).into_iter().filter_map(|(key, _)| self.failures.get(&key)?.wait(now));
        match waits.max() {
            None => Ok(()),
            Some(retry_after) => Err(Problem::TooManyRequests { retry_after }),
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, attempt: Attempt<'_>, now: Timestamp) {
        for (key, rate) in self.keys(attempt) {
            let made: Result<_, std::convert::Infallible> =
                self.failures.get_or_insert_with(&key, || Ok(Arc::new(Bucket::new(rate))));
            // Whoever has none left is refused; more failures do not make the time longer.
            let _: Option<Duration> = made.ok().and_then(|bucket| bucket.take(now).err());
        }
    }

    fn keys(&self, Attempt { publisher, client_id, source }: Attempt<'_>) -> [(u64, Rate); 2] {
        let source = source.map(network);
        [
            (self.hasher.hash_one((source, Some((publisher, client_id)))), self.of_client),
            (self.hasher.hash_one((source, None::<(&PublisherName, &str)>)), self.of_address),
        ]
    }
}

/// What one subscriber of an internet provider is given: an IPv4 address, or the first half of IPv6
/// ones.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(of_client: u32, of_address: u32) -> Throttle {
        let rate = |burst| Rate::new("6/min".parse().unwrap(), NonZeroU32::new(burst)).unwrap();
        Throttle::new(rate(of_client), rate(of_address))
    }

    static CAMARA: PublisherName = PublisherName::new_static("camara");

    fn attempt<'a>(client_id: &'a str, source: &str) -> Attempt<'a> {
        Attempt { publisher: &CAMARA, client_id, source: Some(source.parse().unwrap()) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    #[test]
    fn the_server_s_rates_are_well_formed() {
        assert!(Throttle::usual().is_some());
    }

    #[test]
    fn who_guesses_at_a_client_is_slowed_down_and_nobody_else_is() {
        let throttle = throttle(3, 100);
        let (guesser, genuine) = (attempt("shop", "192.0.2.1"), attempt("shop", "192.0.2.2"));
        for _ in 0..3 {
            assert_eq!(throttle.admit(guesser, at(0)), Ok(()));
            throttle.failed(guesser, at(0));
        }
        let retry_after = Duration::from_secs(10);
        assert_eq!(throttle.admit(guesser, at(0)), Err(Problem::TooManyRequests { retry_after }));
        assert_eq!(throttle.admit(genuine, at(0)), Ok(()), "the client at its own address");
        assert_eq!(throttle.admit(attempt("bank", "192.0.2.1"), at(0)), Ok(()), "another client at that address");
        assert_eq!(throttle.admit(guesser, at(10)), Ok(()), "after the time");
    }

    #[test]
    fn failures_while_one_is_refused_do_not_prolong_it() {
        let throttle = throttle(3, 100);
        for _ in 0..1_000 {
            throttle.failed(attempt("shop", "192.0.2.1"), at(0));
        }
        assert_eq!(throttle.admit(attempt("shop", "192.0.2.1"), at(10)), Ok(()));
    }

    #[test]
    fn who_guesses_at_many_clients_is_slowed_down_by_the_address() {
        let throttle = throttle(3, 5);
        for client_id in ["a", "b", "c", "d", "e"] {
            throttle.failed(attempt(client_id, "2001:db8::1"), at(0));
        }
        assert!(throttle.admit(attempt("f", "2001:db8::2"), at(0)).is_err(), "the same /64");
        assert!(throttle.admit(attempt("f", "2001:db8:0:1::2"), at(0)).is_ok());
    }
}
