use crate::{Country, Line, NetworkType, Reachability, Roaming, Technology, Timestamp};

/// What a subscription asks to be told of. Its text is the last part of the event types that the contracts
/// print, of whichever API and version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventType {
    /// The line began to roam, or ceased to.
    RoamingStatus,
    /// It began to roam.
    RoamingOn,
    /// It ceased to roam.
    RoamingOff,
    /// It roams in another country than before.
    RoamingChangeCountry,
    /// It can be reached by data now, whether by SMS or not.
    ReachabilityData,
    /// It can be reached by SMS now, and not by data.
    ReachabilitySms,
    /// It can be reached by neither any more.
    ReachabilityDisconnected,
    /// It is connected by another access technology.
    NetworkTypeChanged,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RoamingStatus,
        Self::RoamingOn,
        Self::RoamingOff,
        Self::RoamingChangeCountry,
        Self::ReachabilityData,
        Self::ReachabilitySms,
        Self::ReachabilityDisconnected,
        Self::NetworkTypeChanged,
    ];

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoamingStatus => "roaming-status",
            Self::RoamingOn => "roaming-on",
            Self::RoamingOff => "roaming-off",
            Self::RoamingChangeCountry => "roaming-change-country",
            Self::ReachabilityData => "reachability-data",
            Self::ReachabilitySms => "reachability-sms",
            Self::ReachabilityDisconnected => "reachability-disconnected",
            Self::NetworkTypeChanged => "network-type-changed",
        }
    }

    /// The type of this text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event_type| event_type.as_str() == text)
    }
}

/// Something that became true of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// Whether it roams, and where.
    RoamingStatus {
        /// The visited country; `None` at home.
        visited: Option<Country>,
    },
    /// It roams.
    RoamingOn,
    /// It does not roam any more.
    RoamingOff,
    /// It roams in another country.
    RoamingChangeCountry {
        /// That country.
        visited: Country,
    },
    /// It can be reached by data.
    ReachabilityData,
    /// It can be reached by SMS alone.
    ReachabilitySms,
    /// It cannot be reached.
    ReachabilityDisconnected,
    /// By what it is connected.
    NetworkTypeChanged {
        /// The technology; `None` when it cannot be determined.
        technology: Option<Technology>,
    },
}

impl Fact {
    /// Who subscribed to this type is told of it.
    #[must_use]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::RoamingStatus { .. } => EventType::RoamingStatus,
            Self::RoamingOn => EventType::RoamingOn,
            Self::RoamingOff => EventType::RoamingOff,
            Self::RoamingChangeCountry { .. } => EventType::RoamingChangeCountry,
            Self::ReachabilityData => EventType::ReachabilityData,
            Self::ReachabilitySms => EventType::ReachabilitySms,
            Self::ReachabilityDisconnected => EventType::ReachabilityDisconnected,
            Self::NetworkTypeChanged { .. } => EventType::NetworkTypeChanged,
        }
    }
}

/// A fact, and since when the network knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// What became true.
    pub fact: Fact,
    /// When the network confirmed it.
    pub at: Timestamp,
}

/// What became true of a line between two looks at it: everything that anybody who subscribed to it may
/// have to be told. What is only confirmed anew is no event.
///
/// A line that the network had never seen counts as one that neither roamed nor could be reached: so its
/// first sight abroad is roaming-on, and at home it is nothing about roaming.
#[must_use]
pub fn events(before: &Line, after: &Line) -> Vec<Event> {
    let mut events = Vec::new();
    if let Ok(now) = Roaming::of(after) {
        let was = Roaming::of(before).ok().and_then(|roaming| roaming.visited);
        roaming_events(was, now, &mut events);
    }
    if let Ok(now) = Reachability::of(after) {
        let was = Reachability::of(before).map_or(Fact::ReachabilityDisconnected, best_way);
        let is = best_way(now);
        if is != was {
            events.push(Event { fact: is, at: now.confirmed_at });
        }
    }
    let (was, is) = (NetworkType::of(before), NetworkType::of(after));
    if let Some(confirmed_at) = is.confirmed_at.filter(|_| is.technology != was.technology) {
        // A technology that was known all the while is news only since the line came back.
        let came_back = after.status.filter(|_| was.technology.is_none() && is.technology.is_some());
        let at = came_back.map_or(confirmed_at, |status| {
            confirmed_at.max(status.serving_confirmed_at).max(status.reachability_confirmed_at)
        });
        events.push(Event { fact: Fact::NetworkTypeChanged { technology: is.technology }, at });
    }
    events
}

fn roaming_events(was: Option<Country>, now: Roaming, events: &mut Vec<Event>) {
    let facts: &[Fact] = match (was, now.visited) {
        (None, None) => &[],
        (None, visited @ Some(_)) => &[Fact::RoamingStatus { visited }, Fact::RoamingOn],
        (Some(_), None) => &[Fact::RoamingStatus { visited: None }, Fact::RoamingOff],
        // Another network of the same country is no other country.
        (Some(was), Some(visited)) if was.mcc() == visited.mcc() => &[],
        (Some(_), Some(visited)) => &[Fact::RoamingChangeCountry { visited }],
    };
    events.extend(facts.iter().map(|fact| Event { fact: *fact, at: now.confirmed_at }));
}

/// Data counts more than SMS: a line that has data can be reached by data, regardless of SMS.
const fn best_way(reachability: Reachability) -> Fact {
    match (reachability.data, reachability.sms) {
        (true, _) => Fact::ReachabilityData,
        (false, true) => Fact::ReachabilitySms,
        (false, false) => Fact::ReachabilityDisconnected,
    }
}

/// What a new subscription that wants an initial event is told of a line as it is; `None` when its type is
/// about something else than what is true now.
///
/// Of a line that was never seen nothing is known that could be told, but that its network type cannot be
/// determined, as the contracts want it: since `now`, which is when that was asked.
#[must_use]
pub fn initial_event(line: &Line, event_type: EventType, now: Timestamp) -> Option<Event> {
    let event = match event_type {
        EventType::RoamingStatus => {
            let Roaming { visited, confirmed_at } = Roaming::of(line).ok()?;
            Event { fact: Fact::RoamingStatus { visited }, at: confirmed_at }
        }
        EventType::RoamingOn | EventType::RoamingOff => {
            let roaming = Roaming::of(line).ok()?;
            let fact = if roaming.is_roaming() { Fact::RoamingOn } else { Fact::RoamingOff };
            Event { fact, at: roaming.confirmed_at }
        }
        // It is about a change alone, by the table of the contracts.
        EventType::RoamingChangeCountry => return None,
        EventType::ReachabilityData | EventType::ReachabilitySms | EventType::ReachabilityDisconnected => {
            let reachability = Reachability::of(line).ok()?;
            Event { fact: best_way(reachability), at: reachability.confirmed_at }
        }
        EventType::NetworkTypeChanged => {
            let NetworkType { technology, confirmed_at } = NetworkType::of(line);
            Event { fact: Fact::NetworkTypeChanged { technology }, at: confirmed_at.unwrap_or(now) }
        }
    };
    (event.fact.event_type() == event_type).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LineId, Status, SubjectKey};

    /// When each part of a status was confirmed, before and after.
    const BEFORE: [i64; 3] = [1, 2, 3];
    const AFTER: [i64; 3] = [11, 12, 13];

    const HOME: &str = "20801";
    const FRANCE: &str = "20810";
    const GERMANY: &str = "26201";
    const GERMANY_TOO: &str = "26202";
    const BELGIUM: &str = "20601";
    const UNSEEN: Option<Look> = None;

    /// Whether a line can be reached by data and by SMS, before and after, and what is told of that.
    type Reached = ((bool, bool), (bool, bool), &'static [(&'static str, i64)]);

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Look {
        serving: &'static str,
        data: bool,
        sms: bool,
        technology: Option<Technology>,
    }

    fn line(look: Option<Look>, [serving_at, reach_at, technology_at]: [i64; 3]) -> Line {
        Line {
            status: look.map(|look| Status {
                serving: look.serving.parse().unwrap(),
                serving_confirmed_at: Timestamp::from_unix_seconds(serving_at),
                data: look.data,
                sms: look.sms,
                reachability_confirmed_at: Timestamp::from_unix_seconds(reach_at),
                technology: look.technology,
                technology_confirmed_at: Timestamp::from_unix_seconds(technology_at),
            }),
            ..unseen()
        }
    }

    fn unseen() -> Line {
        Line {
            id: LineId::from_bytes([1; 16]),
            subject_key: SubjectKey::from_bytes([1; 8]),
            phone_number: "+33699901032".parse().unwrap(),
            home: HOME.parse().unwrap(),
            status: None,
            addresses: None,
            eligible: true,
        }
    }

    /// Every look at a line that there is, of a few networks.
    fn looks() -> Vec<Option<Look>> {
        let mut looks = vec![None];
        for serving in [HOME, FRANCE, GERMANY, GERMANY_TOO, BELGIUM] {
            for (data, sms) in [(true, true), (true, false), (false, true), (false, false)] {
                for technology in [None, Some(Technology::Fourth), Some(Technology::Fifth)] {
                    looks.push(Some(Look { serving, data, sms, technology }));
                }
            }
        }
        looks
    }

    fn told(before: impl Into<Option<Look>>, after: impl Into<Option<Look>>) -> Vec<(&'static str, i64)> {
        let events = events(&line(before.into(), BEFORE), &line(after.into(), AFTER));
        events.iter().map(|event| (event.fact.event_type().as_str(), event.at.unix_seconds())).collect()
    }

    fn at(serving: &'static str) -> Look {
        Look { serving, data: true, sms: true, technology: None }
    }

    fn reached(data: bool, sms: bool) -> Look {
        Look { serving: HOME, data, sms, technology: None }
    }

    fn on(technology: Option<Technology>) -> Look {
        Look { serving: HOME, data: true, sms: true, technology }
    }

    #[test]
    fn the_journey_of_the_contracts_is_told_as_they_tell_it() {
        // The device of the contracts is at home in Germany; this one is at home in France.
        let on = vec![("roaming-status", 11), ("roaming-on", 11)];
        let off = vec![("roaming-status", 11), ("roaming-off", 11)];
        assert_eq!(told(at(HOME), at(GERMANY)), on);
        assert_eq!(told(at(GERMANY), at(BELGIUM)), [("roaming-change-country", 11)]);
        assert_eq!(told(at(BELGIUM), at(HOME)), off);
    }

    #[test]
    fn another_country_is_another_mobile_country_code() {
        assert_eq!(told(at(GERMANY), at(GERMANY_TOO)), []);
        // National roaming is roaming, and to leave it for abroad changes the country.
        assert_eq!(told(at(HOME), at(FRANCE)), [("roaming-status", 11), ("roaming-on", 11)]);
        assert_eq!(told(at(FRANCE), at(GERMANY)), [("roaming-change-country", 11)]);
    }

    #[test]
    fn data_counts_more_than_sms() {
        let table: &[Reached] = &[
            ((true, true), (true, true), &[]),
            ((true, true), (true, false), &[]),
            ((true, true), (false, true), &[("reachability-sms", 12)]),
            ((true, true), (false, false), &[("reachability-disconnected", 12)]),
            ((true, false), (true, true), &[]),
            ((true, false), (true, false), &[]),
            ((true, false), (false, true), &[("reachability-sms", 12)]),
            ((true, false), (false, false), &[("reachability-disconnected", 12)]),
            ((false, true), (true, true), &[("reachability-data", 12)]),
            ((false, true), (true, false), &[("reachability-data", 12)]),
            ((false, true), (false, true), &[]),
            ((false, true), (false, false), &[("reachability-disconnected", 12)]),
            ((false, false), (true, true), &[("reachability-data", 12)]),
            ((false, false), (true, false), &[("reachability-data", 12)]),
            ((false, false), (false, true), &[("reachability-sms", 12)]),
            ((false, false), (false, false), &[]),
        ];
        for (before, after, expected) in table {
            assert_eq!(told(reached(before.0, before.1), reached(after.0, after.1)), *expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn another_technology_is_told_with_its_own_time() {
        let fourth = Some(Technology::Fourth);
        assert_eq!(told(on(None), on(fourth)), [("network-type-changed", 13)]);
        assert_eq!(told(on(fourth), on(Some(Technology::Fifth))), [("network-type-changed", 13)]);
        assert_eq!(told(on(fourth), on(None)), [("network-type-changed", 13)]);
        // Abroad it cannot be determined, since the network knows that the line is there.
        let abroad = Look { serving: GERMANY, ..on(fourth) };
        let expected = [("roaming-status", 11), ("roaming-on", 11), ("network-type-changed", 11)];
        assert_eq!(told(on(fourth), abroad), expected);
    }

    #[test]
    fn a_technology_that_was_known_all_the_while_is_news_since_the_line_came_back() {
        let gone = Look { data: false, sms: false, ..on(Some(Technology::Fourth)) };
        for (before, after) in [(gone, [1, 12, 3]), (Look { serving: GERMANY, ..gone }, [12, 11, 3])] {
            let events = events(&line(Some(before), BEFORE), &line(Some(on(Some(Technology::Fourth))), after));
            let event = events.iter().find(|event| event.fact.event_type() == EventType::NetworkTypeChanged);
            assert_eq!(event.map(|event| event.at.unix_seconds()), Some(12));
        }
    }

    #[test]
    fn a_line_seen_first_was_at_home_and_out_of_reach_before() {
        assert_eq!(told(UNSEEN, at(HOME)), [("reachability-data", 12)]);
        assert_eq!(told(UNSEEN, reached(false, false)), []);
        let abroad = [("roaming-status", 11), ("roaming-on", 11), ("reachability-data", 12)];
        assert_eq!(told(UNSEEN, at(GERMANY)), abroad);
        assert_eq!(told(at(GERMANY), UNSEEN), []);
    }

    #[test]
    fn what_is_confirmed_anew_is_never_told() {
        for look in looks() {
            assert_eq!(told(look, look), [], "{look:?}");
        }
    }

    /// What a line that was looked at twice is told, worked out from the looks alone, in the words of the contracts.
    fn expected(before: Option<Look>, after: Option<Look>) -> Vec<Event> {
        let Some(now) = after else { return vec![] };
        let [serving_at, reach_at, technology_at] = AFTER.map(Timestamp::from_unix_seconds);
        let roams = |look: Look| look.serving != HOME;
        let mcc = |look: Look| &look.serving[..3];
        let country = |look: Look| Country::of(look.serving.parse::<crate::Plmn>().unwrap().mcc());
        let mut expected = Vec::new();
        let mut tell = |is_so: bool, fact: Fact, at: Timestamp| {
            if is_so {
                expected.push(Event { fact, at });
            }
        };

        let (roamed, roams_now) = (before.is_some_and(roams), roams(now));
        let visited = roams_now.then(|| country(now));
        tell(roamed != roams_now, Fact::RoamingStatus { visited }, serving_at);
        tell(!roamed && roams_now, Fact::RoamingOn, serving_at);
        tell(roamed && !roams_now, Fact::RoamingOff, serving_at);
        let is_elsewhere = roamed && roams_now && before.is_some_and(|before| mcc(before) != mcc(now));
        tell(is_elsewhere, Fact::RoamingChangeCountry { visited: country(now) }, serving_at);

        let had_data = before.is_some_and(|before| before.data);
        let had_sms_alone = before.is_some_and(|before| before.sms && !before.data);
        let had_none = before.is_none_or(|before| !before.data && !before.sms);
        tell(now.data && !had_data, Fact::ReachabilityData, reach_at);
        tell(now.sms && !now.data && !had_sms_alone, Fact::ReachabilitySms, reach_at);
        tell(!now.data && !now.sms && !had_none, Fact::ReachabilityDisconnected, reach_at);

        let is_connected_at_home = |look: Look| !roams(look) && (look.data || look.sms);
        let shown = |look: Look| look.technology.filter(|_| is_connected_at_home(look));
        let (was, is) = (before.and_then(shown), shown(now));
        // The times are in order: whoever came back did so, at the latest, when the technology was confirmed.
        let at = match (is_connected_at_home(now), !now.data && !now.sms) {
            (true, _) => technology_at,
            (false, true) => reach_at,
            (false, false) => serving_at,
        };
        tell(was != is, Fact::NetworkTypeChanged { technology: is }, at);
        expected
    }

    #[test]
    fn every_change_is_told_by_the_truth_tables_with_what_it_tells_and_its_time() {
        let mut told = std::collections::HashSet::new();
        for before in looks() {
            for after in looks() {
                let events = events(&line(before, BEFORE), &line(after, AFTER));
                assert_eq!(events, expected(before, after), "{before:?} {after:?}");
                told.extend(events.iter().map(|event| event.fact.event_type()));
            }
        }
        assert_eq!(told.len(), EventType::ALL.len(), "{told:?}");
    }

    /// What is so of a line that was looked at once, if a type is about that.
    fn expected_at_first(look: Option<Look>, event_type: EventType, now: Timestamp) -> Option<Event> {
        let [serving_at, reach_at, technology_at] = AFTER.map(Timestamp::from_unix_seconds);
        let Some(look) = look else {
            let fact = Fact::NetworkTypeChanged { technology: None };
            return (event_type == EventType::NetworkTypeChanged).then_some(Event { fact, at: now });
        };
        let roams = look.serving != HOME;
        let visited = roams.then(|| Country::of(look.serving.parse::<crate::Plmn>().unwrap().mcc()));
        let (is_so, fact, at) = match event_type {
            EventType::RoamingStatus => (true, Fact::RoamingStatus { visited }, serving_at),
            EventType::RoamingOn => (roams, Fact::RoamingOn, serving_at),
            EventType::RoamingOff => (!roams, Fact::RoamingOff, serving_at),
            EventType::RoamingChangeCountry => return None,
            EventType::ReachabilityData => (look.data, Fact::ReachabilityData, reach_at),
            EventType::ReachabilitySms => (look.sms && !look.data, Fact::ReachabilitySms, reach_at),
            EventType::ReachabilityDisconnected => (!look.sms && !look.data, Fact::ReachabilityDisconnected, reach_at),
            EventType::NetworkTypeChanged => {
                let (technology, at) = match (roams, look.data || look.sms) {
                    (false, true) => (look.technology, technology_at),
                    (true, true) => (None, serving_at),
                    (_, false) => (None, reach_at),
                };
                (true, Fact::NetworkTypeChanged { technology }, at)
            }
        };
        is_so.then_some(Event { fact, at })
    }

    #[test]
    fn an_initial_event_tells_what_is_so_and_what_was_asked_for() {
        let now = Timestamp::from_unix_seconds(99);
        for look in looks() {
            for event_type in EventType::ALL {
                let event = initial_event(&line(look, AFTER), event_type, now);
                assert_eq!(event, expected_at_first(look, event_type, now), "{event_type:?} {look:?}");
            }
        }
    }

    #[test]
    fn a_type_is_found_by_its_text() {
        for event_type in EventType::ALL {
            assert_eq!(EventType::named(event_type.as_str()), Some(event_type));
        }
        assert_eq!(EventType::named("subscription-ended"), None);
    }
}
