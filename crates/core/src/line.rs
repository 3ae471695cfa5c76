use std::net::{Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;

use crate::{Id, NetworkAccessIdentifier, PhoneNumber, Plmn, Status, StoreError, SubjectKey, Timestamp};

/// The identifier of a [`Line`].
pub type LineId = Id<Line>;

/// A mobile subscription. When a number passes to a new subscriber, a new line with a new
/// identifier begins, and what was granted about the old one ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The identifier of the line.
    pub id: LineId,
    /// The number by which the line is known.
    pub phone_number: PhoneNumber,
    /// The home network.
    pub home: Plmn,
    /// What the network knows of it; `None` when it was never seen.
    pub status: Option<Status>,
    /// What else it is addressed by, if anything.
    pub addresses: Option<Box<Addresses>>,
    /// Whether the service is offered for it.
    pub eligible: bool,
    /// What its pseudonym in the audit log is made from.
    pub subject_key: SubjectKey,
}

/// What a line is addressed by beside its number: the IP addresses that it holds now, and its network
/// access identifier.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Addresses {
    /// The IPv4 address that servers see; many lines may share one behind a NAT.
    pub public_ipv4: Option<Ipv4Addr>,
    /// The ports of that address that are this line's, first and last. `None`: all of them.
    pub public_ports: Option<(u16, u16)>,
    /// The IPv4 address inside the operator's network.
    pub private_ipv4: Option<Ipv4Addr>,
    /// The /64 prefix of the line: the upper half of any of its IPv6 addresses.
    pub ipv6_prefix: Option<u64>,
    /// The network access identifier that its operator has given to it.
    pub network_access_identifier: Option<NetworkAccessIdentifier>,
}

impl Addresses {
    /// The /64 prefix that an IPv6 address belongs to.
    #[must_use]
    pub fn prefix_of(address: Ipv6Addr) -> u64 {
        u64::try_from(address.to_bits() >> 64).unwrap_or(u64::MAX)
    }
}

/// Keeps lines (of the simulated network) over restarts.
#[async_trait]
pub trait Lines: Send + Sync {
    /// How many lines there are.
    fn count(&self) -> Result<usize, StoreError>;
    /// Calls `each` with every line.
    fn load(&self, each: &mut dyn FnMut(Line)) -> Result<(), StoreError>;
    /// Adds lines or replaces those with the same number, all or none, and calls `progress` with
    /// how many have been written. What subscriptions are to be told of the changes, as of `now`, is kept
    /// with the lines, or nothing is.
    async fn put(
        &self,
        lines: Vec<Line>,
        now: Timestamp,
        progress: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Result<(), StoreError>;
    /// Removes a line, with everything that is stored about it: what was granted, what its subject has
    /// consented to, and the key of its pseudonym. The subscriptions about it end at `now`, which is told without naming it.
    async fn remove(&self, id: LineId, now: Timestamp) -> Result<(), StoreError>;
    /// Removes a line, and in the same step begins another with its number. What was removed cannot be
    /// found in the store's files any more.
    async fn replace(&self, id: LineId, by: Line, now: Timestamp) -> Result<(), StoreError>;
}
