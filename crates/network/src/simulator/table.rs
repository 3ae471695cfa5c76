//! The lines in memory, and the ways to find one: under 100 bytes each, all in.
//!
//! A line sits in a slot, and the number of its slot (four bytes) stands in each index. The indexes
//! by number and by identifier hold nothing else: they look into the slot for the key. Only lines
//! that have addresses are in the indexes of these.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hash},
    net::Ipv4Addr,
};

use attache_core::{Addresses, Ipv4Identifier, Line, LineId, NetworkAccessIdentifier, PhoneNumber};
use hashbrown::{DefaultHashBuilder, HashTable};

/// Where a line sits.
type Slot = u32;

/// All lines.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Line>>,
    /// The slots without a line.
    free: Vec<Slot>,
    hasher: DefaultHashBuilder,
    by_number: HashTable<Slot>,
    by_id: HashTable<Slot>,
    /// Sets of pairs, because behind a NAT any number of lines share an address.
    by_public_ipv4: BTreeSet<(Ipv4Addr, Slot)>,
    by_both_ipv4: BTreeSet<(Ipv4Addr, Ipv4Addr, Slot)>,
    by_ipv6_prefix: BTreeSet<(u64, Slot)>,
    by_access_identifier: HashTable<Slot>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.slots.iter().flatten()
    }

    pub(super) fn by_number(&self, number: PhoneNumber) -> Option<&Line> {
        self.at(self.slot_of(number)?)
    }

    pub(super) fn by_id(&self, id: LineId) -> Option<&Line> {
        let hash = hash(&self.hasher, &id);
        self.at(*self.by_id.find(hash, |slot| self.at(*slot).is_some_and(|line| line.id == id))?)
    }

    /// The one line behind a public address that holds the port and the private address, as far as
    /// they are given. When neither is, and several lines share the address, none is meant.
    pub(super) fn by_ipv4(&self, identifier: &Ipv4Identifier) -> Option<&Line> {
        let public = identifier.public_address;
        let holds_port = |line: &&Line| {
            identifier.public_port.is_none_or(|port| {
                let ports = line.addresses.as_ref().and_then(|addresses| addresses.public_ports);
                ports.is_none_or(|(first, last)| (first..=last).contains(&port))
            })
        };
        if let Some(private) = identifier.private_address {
            let range = (public, private, Slot::MIN)..=(public, private, Slot::MAX);
            let slots = self.by_both_ipv4.range(range).map(|(.., slot)| *slot);
            only(slots.filter_map(|slot| self.at(slot)).filter(holds_port))
        } else {
            let range = (public, Slot::MIN)..=(public, Slot::MAX);
            let slots = self.by_public_ipv4.range(range).map(|(_, slot)| *slot);
            only(slots.filter_map(|slot| self.at(slot)).filter(holds_port))
        }
    }

    pub(super) fn by_ipv6_prefix(&self, prefix: u64) -> Option<&Line> {
        let slots = self.by_ipv6_prefix.range((prefix, Slot::MIN)..=(prefix, Slot::MAX)).map(|(_, slot)| *slot);
        only(slots.filter_map(|slot| self.at(slot)))
    }

    /// The one line with this network access identifier.
    pub(super) fn by_access_identifier(&self, identifier: &NetworkAccessIdentifier) -> Option<&Line> {
        let slots = self.by_access_identifier.iter_hash(hash(&self.hasher, identifier));
        let lines = slots.filter_map(|slot| self.at(*slot));
        only(lines.filter(|line| access_identifier(line) == Some(identifier)))
    }

    /// A table of lines no two of which have the same number.
    pub(super) fn of(lines: Vec<Option<Line>>) -> Self {
        let mut table = Self { slots: lines, ..Self::default() };
        for slot in 0..table.slots.len() {
            let addresses = table.slots[slot].as_ref().and_then(|line| line.addresses.clone());
            table.index_addresses(to_slot(slot), addresses.as_deref(), true);
        }
        // Each index is made in one go, at its final size, and both at the same time: it is most of
        // what a start with many lines takes.
        let Self { slots, hasher, by_number, by_id, .. } = &mut table;
        std::thread::scope(|scope| {
            scope.spawn(|| *by_number = index(slots, |line| hash(hasher, &line.phone_number)));
            *by_id = index(slots, |line| hash(hasher, &line.id));
        });
        table
    }

    /// Puts a line in, instead of the one with its number if there is one.
    pub(super) fn insert(&mut self, line: Line) {
        self.remove(line.phone_number);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            to_slot(self.slots.len() - 1)
        });
        let addresses = line.addresses.clone();
        let (number, id) = (hash(&self.hasher, &line.phone_number), hash(&self.hasher, &line.id));
        self.slots[slot as usize] = Some(line);
        let Self { slots, hasher, by_number, by_id, .. } = self;
        by_number.insert_unique(number, slot, rehash(slots, |line| hash(hasher, &line.phone_number)));
        by_id.insert_unique(id, slot, rehash(slots, |line| hash(hasher, &line.id)));
        self.index_addresses(slot, addresses.as_deref(), true);
    }

    pub(super) fn remove(&mut self, number: PhoneNumber) {
        let Some(slot) = self.slot_of(number) else { return };
        let Some(line) = self.slots[slot as usize].take() else { return };
        for (table, hash) in [
            (&mut self.by_number, hash(&self.hasher, &line.phone_number)),
            (&mut self.by_id, hash(&self.hasher, &line.id)),
        ] {
            if let Ok(entry) = table.find_entry(hash, |entry| *entry == slot) {
                entry.remove();
            }
        }
        self.index_addresses(slot, line.addresses.as_deref(), false);
        self.free.push(slot);
    }

    fn index_addresses(&mut self, slot: Slot, addresses: Option<&Addresses>, present: bool) {
        fn set<T: Ord>(index: &mut BTreeSet<T>, key: T, present: bool) {
            if present {
                index.insert(key);
            } else {
                index.remove(&key);
            }
        }
        let Some(addresses) = addresses else { return };
        if let Some(public) = addresses.public_ipv4 {
            set(&mut self.by_public_ipv4, (public, slot), present);
            if let Some(private) = addresses.private_ipv4 {
                set(&mut self.by_both_ipv4, (public, private, slot), present);
            }
        }
        if let Some(prefix) = addresses.ipv6_prefix {
            set(&mut self.by_ipv6_prefix, (prefix, slot), present);
        }
        if let Some(identifier) = &addresses.network_access_identifier {
            let Self { slots, hasher, by_access_identifier, .. } = self;
            let own = hash(hasher, identifier);
            if present {
                let rehash = rehash(slots, |line| access_identifier(line).map_or(0, |other| hash(hasher, other)));
                by_access_identifier.insert_unique(own, slot, rehash);
            } else if let Ok(entry) = by_access_identifier.find_entry(own, |entry| *entry == slot) {
                entry.remove();
            }
        }
    }

    fn slot_of(&self, number: PhoneNumber) -> Option<Slot> {
        let hash = hash(&self.hasher, &number);
        let is_it = |slot: &Slot| self.at(*slot).is_some_and(|line| line.phone_number == number);
        self.by_number.find(hash, is_it).copied()
    }

    fn at(&self, slot: Slot) -> Option<&Line> {
        self.slots.get(slot as usize)?.as_ref()
    }
}

fn access_identifier(line: &Line) -> Option<&NetworkAccessIdentifier> {
    line.addresses.as_ref()?.network_access_identifier.as_ref()
}

fn hash(hasher: &DefaultHashBuilder, key: &impl Hash) -> u64 {
    hasher.hash_one(key)
}

/// The index of all slots by a hash of their lines.
fn index(slots: &[Option<Line>], hash: impl Fn(&Line) -> u64) -> HashTable<Slot> {
    let mut index = HashTable::with_capacity(slots.len());
    let hash = rehash(slots, hash);
    for slot in (0..slots.len()).map(to_slot) {
        index.insert_unique(hash(&slot), slot, &hash);
    }
    index
}

/// The hash of what sits in a slot.
fn rehash(slots: &[Option<Line>], hash: impl Fn(&Line) -> u64) -> impl Fn(&Slot) -> u64 {
    move |slot| slots[*slot as usize].as_ref().map_or(0, &hash)
}

/// Memory ends long before the slots do.
fn to_slot(index: usize) -> Slot {
    Slot::try_from(index).unwrap_or(Slot::MAX)
}

/// The line, when there is exactly one.
fn only<'a>(mut lines: impl Iterator<Item = &'a Line>) -> Option<&'a Line> {
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}
