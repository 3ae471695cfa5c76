use crate::{Country, Line, Problem, Technology, Timestamp};

/// What a face asks about a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Question {
    /// Is it roaming, and where?
    Roaming,
    /// Can it be reached by data or SMS?
    Reachability,
    /// By which access technology is it connected to its home network?
    NetworkType,
}

impl Question {
    /// The name of the question, as it stands in the audit and the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roaming => "roaming",
            Self::Reachability => "reachability",
            Self::NetworkType => "network-type",
        }
    }
}

/// What the core says to a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To [`Question::Roaming`].
    Roaming(Roaming),
    /// To [`Question::Reachability`].
    Reachability(Reachability),
    /// To [`Question::NetworkType`].
    NetworkType(NetworkType),
}

/// Whether a line is roaming, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roaming {
    /// The visited country; `None` when the line is at home.
    pub visited: Option<Country>,
    /// When the network last confirmed it.
    pub confirmed_at: Timestamp,
}

impl Roaming {
    /// Judges a line by its home and serving networks: it roams when they differ.
    ///
    /// # Errors
    /// [`Problem::NeverSeen`] when the network never saw the line.
    pub fn of(line: &Line) -> Result<Self, Problem> {
        let status = line.status.ok_or(Problem::NeverSeen)?;
        Ok(Self {
            visited: (status.serving != line.home).then(|| Country::of(status.serving.mcc())),
            confirmed_at: status.serving_confirmed_at,
        })
    }

    /// Whether the line is away from home.
    #[must_use]
    pub const fn is_roaming(&self) -> bool {
        self.visited.is_some()
    }
}

/// By what a line can be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reachability {
    /// By data.
    pub data: bool,
    /// By SMS.
    pub sms: bool,
    /// When the network last confirmed it.
    pub confirmed_at: Timestamp,
}

impl Reachability {
    /// Reads it from what the network knows of a line.
    ///
    /// # Errors
    /// [`Problem::NeverSeen`] when the network never saw the line.
    pub fn of(line: &Line) -> Result<Self, Problem> {
        let status = line.status.ok_or(Problem::NeverSeen)?;
        Ok(Self { data: status.data, sms: status.sms, confirmed_at: status.reachability_confirmed_at })
    }
}

/// By which access technology a line is connected to its home network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkType {
    /// The technology; `None` when it cannot be determined: the line is elsewhere, not connected, never
    /// seen, or the network does not tell.
    pub technology: Option<Technology>,
    /// When the network last confirmed it, or what makes it unknown; `None` when the line was never
    /// seen.
    pub confirmed_at: Option<Timestamp>,
}

impl NetworkType {
    /// Reads it from what the network knows of a line. Not to know is an answer here, not a problem.
    ///
    /// What was last seen of a line that has gone abroad or out of reach says nothing about how it is
    /// connected now. Either fact is enough to make it unknown, so the later one tells since when the
    /// network is sure of that.
    #[must_use]
    pub fn of(line: &Line) -> Self {
        let Some(status) = line.status else { return Self { technology: None, confirmed_at: None } };
        let is_abroad = (status.serving != line.home).then_some(status.serving_confirmed_at);
        let is_out_of_reach = (!status.data && !status.sms).then_some(status.reachability_confirmed_at);
        match is_abroad.max(is_out_of_reach) {
            Some(confirmed_at) => Self { technology: None, confirmed_at: Some(confirmed_at) },
            None => Self { technology: status.technology, confirmed_at: Some(status.technology_confirmed_at) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LineId, Status, SubjectKey};

    fn line(home: &str, serving: Option<&str>) -> Line {
        let confirmed_at = Timestamp::from_unix_seconds(1_700_000_000);
        Line {
            id: LineId::from_bytes([1; 16]),
            phone_number: "+33699901032".parse().unwrap(),
            home: home.parse().unwrap(),
            status: serving.map(|serving| Status {
                serving: serving.parse().unwrap(),
                serving_confirmed_at: confirmed_at,
                data: true,
                sms: false,
                reachability_confirmed_at: confirmed_at.plus(std::time::Duration::from_secs(1)),
                technology: Some(Technology::Fourth),
                technology_confirmed_at: confirmed_at.plus(std::time::Duration::from_secs(2)),
            }),
            addresses: None,
            eligible: true,
            subject_key: SubjectKey::from_bytes([2; 8]),
        }
    }

    #[test]
    fn a_line_served_by_its_home_network_is_not_roaming() {
        assert_eq!(Roaming::of(&line("20801", Some("20801"))).unwrap().visited, None);
    }

    #[test]
    fn a_line_served_by_another_network_is_roaming_in_the_country_of_its_mcc() {
        let visited = Roaming::of(&line("20801", Some("26201"))).unwrap().visited.unwrap();
        assert_eq!((visited.mcc().number(), visited.names()), (262, ["DE"].as_slice()));
    }

    #[test]
    fn a_line_never_seen_has_no_answer() {
        assert_eq!(Roaming::of(&line("20801", None)), Err(Problem::NeverSeen));
        assert_eq!(Reachability::of(&line("20801", None)), Err(Problem::NeverSeen));
    }

    #[test]
    fn each_answer_carries_the_time_of_its_own_confirmation() {
        let mut line = line("20801", Some("26201"));
        assert_eq!(Roaming::of(&line).unwrap().confirmed_at.unix_seconds(), 1_700_000_000);
        assert_eq!(Reachability::of(&line).unwrap().confirmed_at.unix_seconds(), 1_700_000_001);
        line.home = "26201".parse().unwrap();
        assert_eq!(NetworkType::of(&line).confirmed_at.map(Timestamp::unix_seconds), Some(1_700_000_002));
    }

    #[test]
    fn the_network_type_is_known_of_a_line_that_is_connected_at_home() {
        const HOME: &str = "20801";
        const ABROAD: &str = "26201";
        let (serving_at, reach_at, technology_at) = (1, 2, 3);
        let fourth = Some(Technology::Fourth);
        let table = [
            ("at home, by data and SMS", HOME, true, true, fourth, (fourth, technology_at)),
            ("at home, by data", HOME, true, false, fourth, (fourth, technology_at)),
            ("at home, by SMS", HOME, false, true, fourth, (fourth, technology_at)),
            ("at home, out of reach", HOME, false, false, fourth, (None, reach_at)),
            ("at home, and the network cannot tell", HOME, true, true, None, (None, technology_at)),
            ("at home, out of reach, and it cannot tell", HOME, false, false, None, (None, reach_at)),
            ("abroad, by data and SMS", ABROAD, true, true, fourth, (None, serving_at)),
            ("abroad, by SMS", ABROAD, false, true, fourth, (None, serving_at)),
            ("abroad, and it cannot tell", ABROAD, true, true, None, (None, serving_at)),
            ("abroad, out of reach", ABROAD, false, false, fourth, (None, reach_at)),
        ];
        for (name, serving, data, sms, technology, (expected, confirmed_at)) in table {
            let mut line = line(HOME, Some(serving));
            line.status = line.status.map(|status| Status {
                serving_confirmed_at: Timestamp::from_unix_seconds(serving_at),
                data,
                sms,
                reachability_confirmed_at: Timestamp::from_unix_seconds(reach_at),
                technology,
                technology_confirmed_at: Timestamp::from_unix_seconds(technology_at),
                ..status
            });
            let answer = NetworkType::of(&line);
            assert_eq!(answer.technology, expected, "{name}");
            assert_eq!(answer.confirmed_at, Some(Timestamp::from_unix_seconds(confirmed_at)), "{name}");
        }
    }

    #[test]
    fn the_later_of_two_facts_that_make_the_network_type_unknown_tells_its_time() {
        for (serving_at, reach_at) in [(1, 2), (2, 1)] {
            let mut line = line("20801", Some("26201"));
            line.status = line.status.map(|status| Status {
                serving_confirmed_at: Timestamp::from_unix_seconds(serving_at),
                data: false,
                reachability_confirmed_at: Timestamp::from_unix_seconds(reach_at),
                ..status
            });
            assert_eq!(NetworkType::of(&line).confirmed_at, Some(Timestamp::from_unix_seconds(2)));
        }
    }

    #[test]
    fn the_network_type_of_a_line_never_seen_is_unknown_without_a_time() {
        let answer = NetworkType::of(&line("20801", None));
        assert_eq!(answer, NetworkType { technology: None, confirmed_at: None });
    }
}
