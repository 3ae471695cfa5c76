//! What the start prints: where the server listens, and in a sandbox all that a newcomer needs to ask
//! it something.

use std::path::Path;

use attache_core::{Country, Plmn};
use attache_server::{Server, Summary};

use crate::output::table;

/// How many lines are shown; `attache line list` shows all.
const LINES_SHOWN: usize = 40;

/// What is printed about a server that has started.
pub(crate) fn banner(server: &Server, data_dir: &Path, makes_admin_token: bool) -> String {
    let listening: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let mut parts = vec![
        format!("Attache listens on {}, known as {}", listening.join(" and "), server.base_url()),
        format!("data directory: {}", data_dir.display()),
    ];
    if makes_admin_token {
        parts.push(format!("admin token: in {}", data_dir.join("admin-token").display()));
    }
    if let Some(summary) = server.summary() {
        parts.push(newcomers_part(&summary));
        parts.push(format!(
            "Change a line, and paste it again:\n{0} line roam +33699901032 --country DE --data-dir '{1}'\n\n\
             Hear of each change, in another terminal:\n{0} listen +33699901032 --data-dir '{1}'",
            program(),
            data_dir.display()
        ));
    }
    parts.push("\nCtrl-C stops the server.\n".to_owned());
    parts.join("\n")
}

/// This program as it was started, which need not be on the path.
pub(crate) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "attache".to_owned())
}

/// The demo clients, the lines, and a curl for each vendor.
fn newcomers_part(summary: &Summary) -> String {
    let mut clients = Vec::new();
    for (name, publisher) in &summary.publishers {
        for client in publisher.clients.iter().chain(&publisher.limited_clients) {
            clients.push([
                (*name).to_owned(),
                publisher.base_url.clone(),
                client.client_id.clone(),
                client.client_secret.to_owned(),
            ]);
        }
    }
    let country = |plmn: Plmn| Country::of(plmn.mcc()).names().join(" ");
    let lines: Vec<_> = summary
        .lines
        .iter()
        .take(LINES_SHOWN)
        .map(|line| {
            [
                line.phone_number.to_string(),
                line.home_plmn.to_string(),
                line.serving_plmn.map_or_else(|| "never seen".to_owned(), |plmn| plmn.to_string()),
                line.serving_plmn.map(country).unwrap_or_default(),
                line.reachable.join(", "),
            ]
        })
        .collect();
    let more = if summary.lines.len() > lines.len() { "There are more: attache line list\n" } else { "" };
    let curls: Vec<String> = SAMPLES.iter().filter_map(|sample| sample.curl(summary)).collect();
    format!(
        "\nThis is a sandbox: its clients and their secrets are documented for everyone.\n\n{}\n{}{more}\n\
         Paste one of these into another terminal:\n\n{}",
        table(["PUBLISHER", "ROOT", "CLIENT", "SECRET"], clients),
        table(["LINE", "HOME", "SERVED BY", "COUNTRY", "REACHABLE BY"], lines),
        curls.join("\n"),
    )
}

/// A question to one vendor, as its documents have it.
struct Sample {
    title: &'static str,
    publisher: &'static str,
    /// How the address of the API ends.
    path: &'static str,
    /// The parameter `scope`, where this vendor's requests have one.
    scope: Option<&'static str>,
    /// The line to sign in, for vendors whose tokens are for one line.
    login_hint: Option<&'static str>,
    body: &'static str,
}

const SAMPLES: &[Sample] = &[
    Sample {
        title: "Orange",
        publisher: "orange",
        path: "/device-roaming-status/v0/retrieve",
        scope: None,
        login_hint: None,
        body: r#"{"device":{"phoneNumber":"+33699901032"}}"#,
    },
    Sample {
        title: "Telefónica",
        publisher: "telefonica",
        path: "/device-status/v0/roaming",
        scope: Some("dpv:FraudPreventionAndDetection#device-status-roaming-read"),
        login_hint: Some("tel:+34666666666"),
        body: r#"{"ueId":{"msisdn":"+34666666666"}}"#,
    },
    Sample {
        title: "Vonage",
        publisher: "vonage",
        path: "/device-status/v050/roaming",
        scope: Some("dpv:NotApplicable#device-status:roaming:read"),
        login_hint: Some("tel:+123456789"),
        body: r#"{"device":{"phoneNumber":"123456789"}}"#,
    },
    Sample {
        title: "CAMARA",
        publisher: "camara",
        path: "/device-roaming-status/v1/retrieve",
        scope: Some("dpv:FraudPreventionAndDetection device-roaming-status:read"),
        login_hint: None,
        body: r#"{"device":{"phoneNumber":"+33639980004"}}"#,
    },
];

impl Sample {
    /// One command for a shell that fetches a token and asks with it, as often as one likes; `None` if
    /// its demo client is gone.
    fn curl(&self, summary: &Summary) -> Option<String> {
        let publisher = summary.publishers.get(self.publisher)?;
        let client = publisher.clients.first()?;
        let url = &publisher.faces.iter().find(|face| face.url.ends_with(self.path))?.url;
        let credentials = format!("-u {}:{}", client.client_id, client.client_secret);
        let scope = self.scope.map(|scope| format!(" --data-urlencode 'scope={scope}'")).unwrap_or_default();
        let grant = match self.login_hint {
            None => format!("-d grant_type=client_credentials{scope}"),
            Some(hint) => {
                let endpoint = publisher.backchannel_authentication_endpoint.as_ref()?;
                let request = format!("curl -s {endpoint} {credentials} --data-urlencode login_hint={hint}{scope}");
                let request_id = format!("\"$(\n      {request} |\n      {})\"", member("auth_req_id"));
                format!("-d grant_type=urn:openid:params:grant-type:ciba \\\n    -d auth_req_id={request_id}")
            }
        };
        let token = format!("curl -s {} {credentials} {grant}", publisher.token_endpoint);
        Some(format!(
            "# {}\ncurl -s -w '\\n' {url} \\\n  -H 'Content-Type: application/json' -d '{}' \\\n  -H \"Authorization: Bearer $(\n    {token} |\n    {})\"\n",
            self.title,
            self.body,
            member("access_token"),
        ))
    }
}

/// A command that takes a member of type string out of a JSON object.
pub(crate) fn member(name: &str) -> String {
    format!(r#"sed -n 's/.*"{name}":"\([^"]*\)".*/\1/p'"#)
}
