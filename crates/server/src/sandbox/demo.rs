//! The clients and lines that a new sandbox begins with: the vendors' documents' own where they name
//! any. Their secrets are documented for everyone, which is why a sandbox listens on loopback.

use std::time::Duration;

use attache_core::{
    Addresses, Client, ClientId, ClientKeys, ClientSecret, GrantType, Id, Line, LineId, PhoneNumber, Plan,
    PublisherName, Purpose, Rate, Scope, SigningAlgorithm, Status, SubjectKey, Technology, Timestamp,
};
use attache_network::Condition;
use attache_wire::PUBLISHERS;

use crate::{
    admin::api::SubscriberAnswer as Answer,
    entropy::{self, NoEntropy},
    keyring::Keyring,
};

/// What Telefónica's documents print for its mock mode.
pub(super) const MOCK_CLIENT_ID: &str = "mock_sandbox_app_id";
pub(super) const MOCK_ACCESS_TOKEN: &str = "mock_sandbox_access_token";
pub(super) const MOCK_LINE: &str = "+34777777777";

/// The lines that the network is in trouble about, for whoever wants to see what is then answered.
const TROUBLED_LINES: [(&str, Condition); 2] =
    [("+33639980013", Condition::Failing), ("+33639980014", Condition::Silent)];

/// The line whose subscriber never answers.
pub(super) const SILENT_LINE: &str = "+33639980009";

/// The lines whose subscribers do something else than agree at once.
pub(super) const ANSWERS: [(&str, Answer); 3] =
    [(SILENT_LINE, Answer::Never), ("+33639980021", Answer::Deny), ("+33639980022", Answer::Ask)];

const CAMARA_SCOPES: &[&str] = &[
    "device-roaming-status:read",
    "device-reachability-status:read",
    "device-status:roaming:read",
    "device-status:connectivity:read",
    "device-status-roaming-read",
    "connected-network-type:read",
];

const CAMARA_PURPOSES: &[&str] =
    &["dpv:FraudPreventionAndDetection", "dpv:RequestedServiceProvision", "dpv:ServiceProvision"];

/// A demo client.
pub(super) struct DemoClient {
    pub(super) publisher: &'static str,
    pub(super) client_id: &'static str,
    pub(super) secret: &'static str,
    redirect_uris: &'static [&'static str],
    origins: &'static [&'static str],
    scopes: &'static [&'static str],
    purposes: &'static [&'static str],
    /// How fast it may ask.
    pace: Option<&'static str>,
    /// How much it may ask on one day.
    quota: Option<&'static str>,
}

impl DemoClient {
    /// Its plan. What is written in this file is well-formed, which a test holds.
    fn plan(&self) -> Plan {
        Plan {
            rate: self.pace.and_then(|pace| Rate::new(pace.parse().ok()?, None).ok()),
            quota: self.quota.and_then(|quota| quota.parse().ok()),
        }
    }
}

/// All demo clients.
pub(super) const CLIENTS: &[DemoClient] = &[
    DemoClient {
        publisher: "camara",
        client_id: "camara-demo",
        secret: "camara-demo-secret",
        redirect_uris: &["http://localhost:3000/callback"],
        origins: &["http://localhost:3000"],
        scopes: CAMARA_SCOPES,
        purposes: CAMARA_PURPOSES,
        pace: None,
        quota: None,
    },
    // After one request these are over their limits: whoever wants to see a 429 need not ask for long.
    DemoClient {
        publisher: "camara",
        client_id: "camara-rate-demo",
        secret: "camara-rate-demo-secret",
        redirect_uris: &[],
        origins: &["http://localhost:3000"],
        scopes: CAMARA_SCOPES,
        purposes: CAMARA_PURPOSES,
        pace: Some("1/h"),
        quota: None,
    },
    DemoClient {
        publisher: "camara",
        client_id: "camara-quota-demo",
        secret: "camara-quota-demo-secret",
        redirect_uris: &[],
        origins: &["http://localhost:3000"],
        scopes: CAMARA_SCOPES,
        purposes: CAMARA_PURPOSES,
        pace: None,
        quota: Some("1/day"),
    },
    DemoClient {
        publisher: "orange",
        client_id: "orange-demo",
        secret: "orange-demo-secret",
        redirect_uris: &[],
        origins: &["http://localhost:3000"],
        scopes: &["device-roaming-status:read", "device-reachability-status:read"],
        purposes: &["dpv:ServiceProvision"],
        pace: None,
        quota: None,
    },
    DemoClient {
        publisher: "telefonica",
        client_id: "my-app-id",
        secret: "my-app-secret",
        redirect_uris: &[
            "https://my_app_server/device-status-callback",
            "http://localhost:3000/device-status-callback",
            "http://localhost:5000/device-status-callback",
        ],
        origins: &["http://localhost:3000", "http://localhost:5000"],
        scopes: &["device-status-roaming-read"],
        purposes: &["dpv:FraudPreventionAndDetection"],
        pace: None,
        quota: None,
    },
    DemoClient {
        publisher: "telefonica",
        client_id: MOCK_CLIENT_ID,
        secret: "mock_sandbox_app_secret",
        redirect_uris: &["http://localhost:3000/device-status-callback"],
        origins: &["http://localhost:3000"],
        scopes: &["device-status-roaming-read"],
        purposes: &["dpv:FraudPreventionAndDetection"],
        pace: None,
        quota: None,
    },
    DemoClient {
        publisher: "vonage",
        client_id: "vonage-demo",
        secret: "vonage-demo-secret",
        redirect_uris: &[],
        origins: &["http://localhost:3000"],
        scopes: &["device-status:connectivity:read", "device-status:roaming:read"],
        purposes: &["dpv:NotApplicable"],
        pace: None,
        quota: None,
    },
];

/// The scopes of a publisher's subscriptions, which are too many to be written out for each client.
fn of_subscriptions(publisher: &str) -> Vec<Scope> {
    let publisher = PUBLISHERS.iter().find(|known| known.name.as_str() == publisher);
    let faces = publisher.into_iter().flat_map(|publisher| publisher.subscriptions);
    let mut scopes: Vec<Scope> = faces.flat_map(|face| face.scopes()).cloned().collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// The demo clients as they are registered.
pub(crate) fn clients(keyring: &Keyring, now: Timestamp) -> Result<Vec<Client>, NoEntropy> {
    CLIENTS
        .iter()
        .map(|demo| {
            Ok(Client {
                id: ClientId::new(now, &entropy::bytes()?),
                publisher: PublisherName::new_static(demo.publisher),
                client_id: demo.client_id.to_owned(),
                revision: 1,
                name: None,
                organisation: None,
                secrets: vec![ClientSecret {
                    hash: keyring.hash_client_secret(demo.secret),
                    created_at: now,
                    ends_at: None,
                }],
                keys: ClientKeys::Registered(Vec::new()),
                authentication_methods: Vec::new(),
                redirect_uris: demo.redirect_uris.iter().copied().map(str::to_owned).collect(),
                origins: demo.origins.iter().copied().map(str::to_owned).collect(),
                grants: GrantType::ALL.to_vec(),
                scopes: demo
                    .scopes
                    .iter()
                    .copied()
                    .map(Scope::new_static)
                    .chain(of_subscriptions(demo.publisher))
                    .collect(),
                purposes: demo.purposes.iter().copied().map(Purpose::new_static).collect(),
                plan: demo.plan(),
                dpop_required: false,
                signed_requests_required: false,
                id_token_algorithm: SigningAlgorithm::default(),
                sector: None,
                registered_at: now,
            })
        })
        .collect()
}

/// Where a demo line is, and by what it can be reached.
struct DemoLine {
    number: &'static str,
    home: &'static str,
    /// `None`: it was never seen.
    seen: Option<Seen>,
    addresses: Option<Addresses>,
    eligible: bool,
}

struct Seen {
    serving: &'static str,
    data: bool,
    sms: bool,
    technology: Option<Technology>,
    ago: Duration,
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// A line that was seen a minute ago, on 4G.
const fn seen(number: &'static str, home: &'static str, serving: &'static str, data: bool, sms: bool) -> DemoLine {
    let technology = Some(Technology::Fourth);
    let seen = Some(Seen { serving, data, sms, technology, ago: MINUTE });
    DemoLine { number, home, seen, addresses: None, eligible: true }
}

/// A line that was seen at home a minute ago.
const fn at_home(number: &'static str, data: bool, technology: Option<Technology>) -> DemoLine {
    let seen = Seen { serving: HOME, data, sms: true, technology, ago: MINUTE };
    DemoLine { number, home: HOME, seen: Some(seen), addresses: None, eligible: true }
}

/// The home network of CAMARA's demo lines.
const HOME: &str = "20801";

/// The eleven numbers of Orange's lab, which are not supposed to roam.
const ORANGE_LAB: [&str; 11] = [
    "+33699901031",
    "+33699901032",
    "+33699901033",
    "+33699901034",
    "+33699901035",
    "+33699901036",
    "+33699901037",
    "+33699901038",
    "+33699901039",
    "+33699901040",
    "+33699901064",
];

fn demo_lines() -> Vec<DemoLine> {
    let orange = ORANGE_LAB.map(|number| seen(number, "20801", "20801", true, true));
    let telefonica = [
        // The samples read `countryName[0]`, so these lines roam.
        seen("+34666555343", "21407", "26201", true, true),
        DemoLine {
            addresses: Some(Addresses {
                public_ipv4: Some([80, 90, 34, 2].into()),
                public_ports: Some((16_384, 20_479)),
                private_ipv4: None,
                ipv6_prefix: Some(0x2001_0db8_0000_0000),
                network_access_identifier: None,
            }),
            ..seen(MOCK_LINE, "21407", "20801", true, true)
        },
        seen("+34666666666", "21407", "26801", true, true),
    ];
    let vonage = [seen("+123456789", "310410", "26201", true, false)];
    let camara = [
        DemoLine {
            addresses: Some(Addresses {
                public_ipv4: Some([84, 125, 93, 10].into()),
                public_ports: Some((59_392, 60_415)),
                private_ipv4: Some([10, 0, 0, 1].into()),
                ipv6_prefix: Some(0x2001_0db8_85a3_08d3),
                network_access_identifier: "123456789@domain.com".parse().ok(),
            }),
            ..at_home("+33639980001", true, Some(Technology::Fifth))
        },
        at_home("+33639980002", false, Some(Technology::Second)),
        seen("+33639980003", HOME, HOME, false, false),
        seen("+33639980004", HOME, "34001", true, true),
        seen("+33639980005", HOME, "90112", true, false),
        DemoLine {
            seen: Some(Seen {
                serving: "26201",
                data: true,
                sms: true,
                technology: Some(Technology::Fourth),
                ago: DAY,
            }),
            ..seen("+33639980006", HOME, "26201", true, true)
        },
        DemoLine { seen: None, ..seen("+33639980007", HOME, HOME, false, false) },
        seen("+33639980008", HOME, "26201", false, true),
        seen(SILENT_LINE, HOME, HOME, true, true),
        at_home("+33639980010", true, Some(Technology::Third)),
        at_home("+33639980011", true, None),
        at_home(ANSWERS[1].0, true, Some(Technology::Fourth)),
        at_home(ANSWERS[2].0, true, Some(Technology::Fourth)),
        DemoLine { eligible: false, ..at_home("+33639980012", true, Some(Technology::Fourth)) },
        at_home(TROUBLED_LINES[0].0, true, Some(Technology::Fourth)),
        at_home(TROUBLED_LINES[1].0, true, Some(Technology::Fourth)),
    ];
    orange.into_iter().chain(telefonica).chain(vonage).chain(camara).collect()
}

/// The lines that the network is in trouble about. What is written in this file is well-formed, which a
/// test holds.
pub(crate) fn troubled_lines() -> Vec<(PhoneNumber, Condition)> {
    TROUBLED_LINES.iter().filter_map(|(number, condition)| Some((number.parse().ok()?, *condition))).collect()
}

/// The demo lines. What is written in this file is well-formed, which a test holds.
pub(crate) fn lines(now: Timestamp) -> Result<Vec<Line>, NoEntropy> {
    let mut lines = Vec::new();
    for demo in demo_lines() {
        let (Ok(phone_number), Ok(home)) = (demo.number.parse::<PhoneNumber>(), demo.home.parse()) else { continue };
        let status = demo.seen.and_then(|seen| {
            let confirmed_at = now.minus(seen.ago);
            Some(Status {
                serving: seen.serving.parse().ok()?,
                serving_confirmed_at: confirmed_at,
                data: seen.data,
                sms: seen.sms,
                reachability_confirmed_at: confirmed_at,
                technology: seen.technology,
                technology_confirmed_at: confirmed_at,
            })
        });
        let id: LineId = Id::new(now, &entropy::bytes()?);
        let addresses = demo.addresses.map(Box::new);
        let subject_key = SubjectKey::from_bytes(entropy::bytes()?);
        lines.push(Line { id, phone_number, home, status, addresses, eligible: demo.eligible, subject_key });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use attache_wire::PUBLISHERS;

    use super::*;

    #[test]
    fn every_demo_line_is_made_as_it_is_written() {
        let lines = lines(Timestamp::from_unix_seconds(1_700_000_000)).unwrap();
        assert_eq!(lines.len(), demo_lines().len());
        let never_seen = lines.iter().filter(|line| line.status.is_none()).count();
        assert_eq!(never_seen, 1);
        assert_eq!(lines.iter().filter(|line| !line.eligible).count(), 1);
        assert_eq!(troubled_lines().len(), TROUBLED_LINES.len());
        for number in [MOCK_LINE, SILENT_LINE, TROUBLED_LINES[0].0, TROUBLED_LINES[1].0] {
            assert!(lines.iter().any(|line| line.phone_number.to_string() == number));
        }
    }

    #[test]
    fn demo_clients_are_registered_for_every_scope_of_their_publisher() {
        for publisher in PUBLISHERS {
            let clients: Vec<_> = CLIENTS.iter().filter(|demo| demo.publisher == publisher.name.as_str()).collect();
            assert!(!clients.is_empty(), "{}", publisher.name);
            for face in publisher.faces {
                assert!(clients.iter().all(|demo| demo.scopes.contains(&face.scope.as_str())), "{}", face.path);
            }
        }
    }

    #[test]
    fn demo_plans_are_made_as_they_are_written() {
        for demo in CLIENTS {
            let plan = demo.plan();
            assert_eq!(plan.rate.map(|rate| rate.pace().to_string()).as_deref(), demo.pace, "{}", demo.client_id);
            assert_eq!(plan.quota.map(|quota| quota.to_string()).as_deref(), demo.quota, "{}", demo.client_id);
        }
    }

    #[test]
    fn demo_purposes_are_well_formed() {
        for demo in CLIENTS {
            assert!(demo.purposes.iter().all(|purpose| purpose.parse::<Purpose>().is_ok()), "{}", demo.client_id);
        }
    }
}
