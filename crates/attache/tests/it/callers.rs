//! The demo clients, as callers of every face that `GET /sandbox` lists.

use serde_json::{Value, json};

use crate::harness::{Answer, Attache};

const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// A publisher's demo client.
pub(crate) struct Caller {
    pub(crate) publisher: String,
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Where it fetches tokens.
    pub(crate) token_path: String,
    /// Where it begins a backchannel authentication, if it can.
    pub(crate) backchannel_path: Option<String>,
}

/// One published API, with what its caller needs.
pub(crate) struct FaceCall {
    pub(crate) publisher: String,
    pub(crate) api: String,
    /// The version of its contract.
    pub(crate) contract: String,
    pub(crate) path: String,
    /// A good token for it.
    pub(crate) token: String,
    /// A good body for it.
    pub(crate) body: Value,
}

impl Caller {
    /// The first demo client of every publisher.
    pub(crate) fn all(facts: &Value) -> Vec<Self> {
        let publishers = facts["publishers"].as_object().unwrap();
        publishers.iter().map(|(name, publisher)| Self::of(name, publisher)).collect()
    }

    fn of(name: &str, publisher: &Value) -> Self {
        let client = &publisher["clients"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            publisher: name.to_owned(),
            id: text(&client["client_id"]),
            secret: text(&client["client_secret"]),
            token_path: path_of(&publisher["token_endpoint"]),
            backchannel_path: publisher.get("backchannel_authentication_endpoint").map(path_of),
        }
    }

    /// The scope in this publisher's form, with the purpose that its documents use.
    pub(crate) fn asked_scope(&self, scope: &str) -> String {
        match self.publisher.as_str() {
            "telefonica" => format!("dpv:FraudPreventionAndDetection#{scope}"),
            "vonage" => format!("dpv:NotApplicable#{scope}"),
            _ => format!("dpv:FraudPreventionAndDetection {scope}"),
        }
    }

    /// The number of a demo line that suits this publisher.
    pub(crate) fn line(&self) -> &'static str {
        match self.publisher.as_str() {
            "telefonica" => "+34666666666",
            "vonage" => "+123456789",
            _ => "+33699901032",
        }
    }

    /// A token: of two legs where the publisher has that, else of three.
    pub(crate) fn token(&self, attache: &Attache, scope: &str) -> String {
        let fetch = |form: &[(&str, &str)]| {
            attache.post(&self.token_path).basic(&self.id, &self.secret).form(form).says(200).text("access_token")
        };
        match self.publisher.as_str() {
            "orange" => fetch(&[("grant_type", "client_credentials")]),
            "camara" => fetch(&[("grant_type", "client_credentials"), ("scope", &self.asked_scope(scope))]),
            _ => {
                let id = self.auth_req_id(attache, scope);
                fetch(&[("grant_type", CIBA), ("auth_req_id", &id)])
            }
        }
    }

    /// Begins a backchannel authentication.
    pub(crate) fn auth_req_id(&self, attache: &Attache, scope: &str) -> String {
        let hint = format!("tel:{}", self.line());
        attache
            .post(self.backchannel_path.as_deref().unwrap())
            .basic(&self.id, &self.secret)
            .form(&[("login_hint", &hint), ("scope", &self.asked_scope(scope))])
            .says(200)
            .text("auth_req_id")
    }
}

impl FaceCall {
    /// A call to every path that a face has, to the version that answers there what is meant for none.
    pub(crate) fn all(attache: &Attache) -> Vec<Self> {
        let mut calls: Vec<Self> = Vec::new();
        for call in Self::by(attache, &Caller::all(&attache.facts())) {
            if !calls.iter().any(|known| known.path == call.path) {
                calls.push(call);
            }
        }
        assert!(calls.len() >= 13, "a face is missing");
        calls
    }

    /// A call to every version, also to those that share a path, by these callers.
    pub(crate) fn by(attache: &Attache, callers: &[Caller]) -> Vec<Self> {
        let facts = attache.facts();
        let call = |caller: &Caller, face: &Value| {
            let contract = face["contract"].as_str().unwrap();
            Self {
                publisher: caller.publisher.clone(),
                api: face["api"].as_str().unwrap().to_owned(),
                contract: contract.to_owned(),
                path: path_of(&face["url"]),
                token: caller.token(attache, face["scope"].as_str().unwrap()),
                body: match (caller.publisher.as_str(), contract) {
                    ("telefonica", _) | ("camara", "0.4") => json!({"ueId": {"msisdn": caller.line()}}),
                    _ => json!({"device": {"phoneNumber": caller.line()}}),
                },
            }
        };
        let listed = |caller: &Caller| facts["publishers"][&caller.publisher]["faces"].as_array().unwrap().clone();
        callers.iter().flat_map(|caller| listed(caller).into_iter().map(move |face| call(caller, &face))).collect()
    }

    /// Asks.
    pub(crate) fn ask(&self, attache: &Attache) -> Answer {
        attache.post(&self.path).bearer(&self.token).json(&self.body).send()
    }

    /// Holds an answer against what this version says in its own words: a status and a code.
    pub(crate) fn says(&self, attache: &Attache, (status, code): (u16, Value)) -> Answer {
        let answer = self.ask(attache);
        let said = (answer.status, answer.json()["code"].clone());
        assert_eq!(said, (status, code), "{} {} {}: {}", self.publisher, self.api, self.contract, answer.body);
        answer
    }
}

/// The path of an address.
pub(crate) fn path_of(address: &Value) -> String {
    address.as_str().unwrap().parse::<url::Url>().unwrap().path().to_owned()
}
