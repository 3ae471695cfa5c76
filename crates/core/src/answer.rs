use crate::{Country, Line, Problem, Status, Timestamp};

/// What a face asks about a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Question {
    /// Is it roaming, and where?
    Roaming,
    /// Can it be reached by data or SMS?
    Reachability,
}

impl Question {
    /// The name of the question, as it stands in the audit and the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roaming => "roaming",
            Self::Reachability => "reachability",
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
        let Status { serving, .. } = line.status.ok_or(Problem::NeverSeen)?;
        Ok(Self {
            visited: (serving.value != line.home).then(|| Country::of(serving.value.mcc())),
            confirmed_at: serving.confirmed_at,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LineId, Observed};

    fn line(home: &str, serving: Option<&str>) -> Line {
        let confirmed_at = Timestamp::from_unix_seconds(1_700_000_000);
        Line {
            id: LineId::from_bytes([1; 16]),
            phone_number: "+33699901032".parse().unwrap(),
            home: home.parse().unwrap(),
            status: serving.map(|serving| Status {
                serving: Observed { value: serving.parse().unwrap(), confirmed_at },
                data: true,
                sms: false,
                reachability_confirmed_at: confirmed_at.plus(std::time::Duration::from_secs(1)),
            }),
            addresses: None,
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
        let line = line("20801", Some("26201"));
        assert_eq!(Roaming::of(&line).unwrap().confirmed_at.unix_seconds(), 1_700_000_000);
        assert_eq!(Reachability::of(&line).unwrap().confirmed_at.unix_seconds(), 1_700_000_001);
    }
}
