//! `attache listen`: a sink on this machine that shows events as they arrive.
//!
//! Standard output has the events and nothing else; what is said beside them is on standard error.

mod sink;
mod subscriber;

use std::{collections::HashSet, process::ExitCode, time::Duration};

use anyhow::Context;
use attache_core::{EventType, PhoneNumber, Timestamp};
use clap::{Args, builder::PossibleValuesParser, builder::TypedValueParser as _};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::timeout;

use self::{
    sink::{Arrival, Arrived, Sink},
    subscriber::Subscriber,
};
use crate::{operator::Connection, output, signals::Signals};

/// How long the events that tell of the end of subscriptions are waited for.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    connection: Connection,
    /// Subscribes to these lines, as the sandbox's demo client, as long as this runs
    #[arg(value_name = "NUMBER")]
    lines: Vec<PhoneNumber>,
    /// What to subscribe to
    #[arg(long, value_name = "EVENT", default_value = EventType::RoamingStatus.as_str(), value_delimiter = ',',
        value_parser = PossibleValuesParser::new(EventType::ALL.map(EventType::as_str))
            .try_map(|name| EventType::named(&name).ok_or("no event")))]
    event: Vec<EventType>,
    /// Where it listens, on this machine only; 0 takes a free port
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// The bearer token that it insists on; others are answered 401
    #[arg(long)]
    token: Option<SecretString>,
    /// What it answers, such as 503,503,204: in turn, and the last one from then on
    #[arg(long, value_name = "STATUS", default_value = "204", value_delimiter = ',', value_parser = status)]
    respond: Vec<StatusCode>,
}

fn status(text: &str) -> Result<StatusCode, &'static str> {
    let status = text.parse().ok().filter(|status| (200..600).contains(&StatusCode::as_u16(status)));
    status.ok_or("a status from 200 to 599 is needed")
}

impl Listen {
    /// Listens until it is told to stop, or nobody reads any more.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::new().context("can't listen to signals")?;
        let mut subscriber = Subscriber::find(&self.connection, self.token.clone()).await?;
        let mut sink = Sink::open(self.port, subscriber.data_dir(), self.token, self.respond).await?;
        let server = subscriber.server();
        tell(&format!("Listening at {}, whose certificate the sandbox at {server} trusts.\n", sink.url()));
        for line in &self.lines {
            for event in &self.event {
                let id = subscriber.subscribe(sink.url(), *event, *line).await?;
                tell(&format!("{} is subscribed to {} of {line}: {id}\n", subscriber.client_id(), event.as_str()));
            }
        }
        let event = self.event.first().copied().unwrap_or(EventType::RoamingStatus);
        if let Some(line) = self.lines.first() {
            let command = self.connection.hint(&change(event, *line));
            tell(&format!("In another terminal, change the line:\n\n{command}\n\n"));
            tell("Ctrl-C ends this, and the subscriptions that it made.\n");
        } else {
            let curl = subscriber.curl(sink.url(), event)?;
            tell("Nobody is subscribed to it by this. Ctrl-C, and name a line: attache listen +33639980001\n");
            tell(&format!("Or subscribe as an application does, in another terminal:\n\n{curl}\n"));
        }

        let mut heard = Heard { is_json: self.connection.json, ..Heard::default() };
        let mut is_read = heard.begin()?;
        while is_read {
            tokio::select! {
                arrival = sink.next() => is_read = heard.print(&arrival?)?,
                () = signals.next() => break,
            }
        }
        let mut ending = subscriber.end().await;
        let farewell = async {
            while !ending.is_empty() {
                let arrival = sink.next().await?;
                if let Some(ended) = arrival.ended() {
                    ending.remove(ended);
                }
                heard.print(&arrival)?;
            }
            anyhow::Ok(())
        };
        // Whoever is not told in time is told by the server's own retries, if anybody listens here again.
        if let Ok(heard) = timeout(FAREWELL, farewell).await {
            heard?;
        }
        tell(&heard.summary());
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells something that is no event.
fn tell(text: &str) {
    // Standard error may be gone; then there is nobody to tell.
    let _ = output::write_to(std::io::stderr(), text);
}

/// A command that makes an event of this type happen.
fn change(event: EventType, line: PhoneNumber) -> String {
    match event {
        EventType::RoamingStatus | EventType::RoamingOn | EventType::RoamingChangeCountry => {
            format!("line roam {line} --country DE")
        }
        EventType::RoamingOff => format!("line home {line}"),
        EventType::ReachabilityData => format!("line reach {line} --data"),
        EventType::ReachabilitySms => format!("line reach {line} --sms"),
        EventType::ReachabilityDisconnected => format!("line reach {line} --none"),
        EventType::NetworkTypeChanged => format!("line technology {line} 3G"),
    }
}

/// What has arrived, and how it is shown.
#[derive(Default)]
struct Heard {
    is_json: bool,
    ids: HashSet<String>,
    again: usize,
    refused: usize,
}

impl Heard {
    fn begin(&self) -> std::io::Result<bool> {
        if self.is_json {
            return Ok(true);
        }
        output::print_to_reader(&row("ARRIVED", "AFTER", "ANSWER", "EVENT", "ID", "DATA"))
    }

    /// Shows an arrival. Returns whether anybody still reads.
    fn print(&mut self, arrival: &Arrival) -> std::io::Result<bool> {
        let at = format!("{:.3}", arrival.at);
        let time = at.split_once('T').map_or(at.as_str(), |(_, time)| time);
        let answer = arrival.answer.as_str();
        let event = match &arrival.what {
            Arrived::Event(event) => event,
            Arrived::Refused(why) => {
                self.refused += 1;
                tell(&row(time, "", answer, "refused", "", why));
                return Ok(true);
            }
        };
        let is_new = self.ids.insert(event.id.clone());
        self.again += usize::from(!is_new);
        if self.is_json {
            return output::print_to_reader(&format!("{}\n", event.text));
        }
        let after = event.time.map(|time| after(time, arrival.at)).unwrap_or_default();
        let name = event.event_type.rsplit('.').next().unwrap_or_default();
        let again = if is_new { "" } else { " (again)" };
        output::print_to_reader(&row(
            time,
            &after,
            answer,
            &plain(name),
            &plain(&event.id),
            &(brief(&event.data) + again),
        ))
    }

    fn summary(&self) -> String {
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let arrived = format!("{} arrived", count(self.ids.len(), "event"));
        let again = (self.again > 0).then(|| format!(", {} again", count(self.again, "time")));
        let refused = (self.refused > 0).then(|| format!("; {} refused", count(self.refused, "request")));
        format!("{arrived}{}{}.\n", again.unwrap_or_default(), refused.unwrap_or_default())
    }
}

fn row(arrived: &str, after: &str, answer: &str, event: &str, id: &str, data: &str) -> String {
    format!("{}\n", format!("{arrived:<13}  {after:>8}  {answer:<6}  {event:<25}  {id:<39}  {data}").trim_end())
}

/// How long after a moment another one was.
fn after(moment: Timestamp, then: Timestamp) -> String {
    let nanoseconds = then.unix_nanoseconds().saturating_sub(moment.unix_nanoseconds());
    let Ok(nanoseconds) = u64::try_from(nanoseconds) else { return "before".to_owned() };
    let duration = Duration::from_nanos(nanoseconds);
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min", duration.as_secs() / 60),
        _ => format!("{} h", duration.as_secs() / 3600),
    }
}

/// What an event tells, without whom it is about.
fn brief(data: &Value) -> String {
    let members = data.as_object().into_iter().flatten();
    let told = members.filter(|(name, _)| !["device", "subscriptionId"].contains(&name.as_str()));
    let told: Vec<String> = told.map(|(name, value)| format!("{}={}", plain(name), value_in_brief(value))).collect();
    told.join(" ")
}

fn value_in_brief(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(values) => values.iter().map(value_in_brief).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A text from outside as it can be shown: what a terminal would take for more than text is escaped.
fn plain(text: &str) -> String {
    let is_plain = !text.contains(|character: char| character.is_control() || character.is_whitespace());
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_event_tells_is_shown_in_brief_and_without_its_line() {
        let data = json!({
            "device": { "phoneNumber": "+33639980001" }, "subscriptionId": "x",
            "roaming": true, "countryCode": 262, "countryName": ["DE", "AT"], "more": "a \u{1b}[2J",
        });
        assert_eq!(brief(&data), r#"countryCode=262 countryName=DE,AT more="a \u{1b}[2J" roaming=true"#);
        assert_eq!((brief(&Value::Null), brief(&json!({}))), (String::new(), String::new()));
    }

    #[test]
    fn how_long_an_event_took_is_told_in_the_unit_that_fits() {
        let at = |milliseconds: i64| Timestamp::from_unix_nanoseconds(milliseconds * 1_000_000);
        for (took, told) in
            [(12, "12 ms"), (1_250, "1.2 s"), (61_000, "1 min"), (7_200_000, "2 h"), (-1, "before"), (0, "0 ms")]
        {
            assert_eq!(after(at(1_000), at(1_000 + took)), told);
        }
    }

    #[test]
    fn it_counts_what_came_again_apart() {
        let heard = Heard { ids: ["a".to_owned()].into(), again: 2, refused: 1, ..Heard::default() };
        assert_eq!(heard.summary(), "1 event arrived, 2 times again; 1 request refused.\n");
        assert_eq!(Heard::default().summary(), "0 events arrived.\n");
    }

    #[test]
    fn a_status_is_one_that_ends_an_exchange() {
        for text in ["200", "503", "599"] {
            assert!(status(text).is_ok());
        }
        for text in ["", "100", "600", "no"] {
            assert!(status(text).is_err(), "{text}");
        }
    }
}
