//! The command line, as the operator types it: tables for people, JSON for programs, errors that say
//! what to do; and the API behind it.

use std::{fs, path::PathBuf, process::Output};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Attache, program};

const LINE: &str = "+33699901032";

/// What a command that goes well prints.
fn prints(attache: &Attache, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = attache.command(arguments);
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    String::from_utf8(stdout).unwrap()
}

/// What it prints for programs.
fn prints_json(attache: &Attache, arguments: &[&str]) -> Value {
    let text = prints(attache, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: no JSON ({error}): {text}"))
}

/// What a command that goes wrong says, and with which status it ends.
fn fails(output: &Output, status: i32) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    assert!(output.stdout.is_empty(), "an error is told on standard error: {output:?}");
    told
}

/// The words of each row of a table.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// What CAMARA's roaming API answers about a line.
fn roaming(attache: &Attache, number: &str) -> Value {
    let form =
        [("grant_type", "client_credentials"), ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read")];
    let token = attache.post("/oauth2/token").basic("camara-demo", "camara-demo-secret").form(&form).says(200);
    let question = json!({"device": {"phoneNumber": number}});
    let path = "/device-roaming-status/v1/retrieve";
    attache.post(path).bearer(&token.text("access_token")).json(&question).send().json()
}

#[test]
fn lines_are_listed_in_a_table_and_as_json() {
    let attache = Attache::sandbox();
    let table = prints(&attache, &["line", "list"]);
    let rows = rows(&table);
    assert_eq!(rows[0][..2], ["NUMBER", "HOME"]);
    let known = attache.facts()["lines"].as_array().unwrap().len();
    assert_eq!(rows.len(), known + 1);
    let line = rows.iter().find(|row| row[0] == LINE).unwrap();
    assert_eq!(line[1..4], ["20801", "20801", "FR"]);
    assert!(table.contains("never seen"), "{table}");

    let json = prints_json(&attache, &["line", "list"]);
    assert_eq!((json["total"].as_u64(), &json["next"]), (Some(known as u64), &Value::Null));
    let first = prints_json(&attache, &["line", "list", "--limit", "5"]);
    assert_eq!(first["lines"].as_array().unwrap().len(), 5);
    let next = first["next"].as_str().unwrap();
    let rest = prints_json(&attache, &["line", "list", "--after", next]);
    let numbers = |page: &Value| -> Vec<Value> {
        page["lines"].as_array().unwrap().iter().map(|line| line["phone_number"].clone()).collect()
    };
    assert_eq!([numbers(&first), numbers(&rest)].concat(), numbers(&json));
    let told = prints(&attache, &["line", "list", "--limit", "5"]);
    assert!(told.contains(&format!("5 of {known} lines")) && told.contains(&format!("--after {next}")), "{told}");
}

#[test]
fn a_line_that_is_taken_abroad_tells_its_network_and_the_answers_change() {
    let attache = Attache::sandbox();
    assert_eq!(roaming(&attache, LINE)["roaming"], false);
    let table = prints(&attache, &["line", "roam", LINE, "--country", "DE"]);
    assert!(table.contains("26201") && table.contains("DE"), "{table}");
    let answer = roaming(&attache, LINE);
    assert_eq!((&answer["roaming"], &answer["countryCode"]), (&json!(true), &json!(262)), "{answer}");
    assert_eq!(answer["countryName"], json!(["DE"]));

    let json = prints_json(&attache, &["line", "roam", LINE, "--plmn", "26202"]);
    assert_eq!(json["serving_plmn"], "26202");
    let json = prints_json(&attache, &["line", "roam", LINE, "--country", "pt"]);
    assert!(json["serving_plmn"].as_str().unwrap().starts_with("268"), "{json}");
    assert_eq!(roaming(&attache, LINE)["countryName"], json!(["PT"]));
    prints(&attache, &["line", "roam", LINE, "--plmn", "90112"]);
    assert_eq!(roaming(&attache, LINE)["countryName"], json!([]), "at sea there is no country");

    let json = prints_json(&attache, &["line", "home", LINE]);
    assert_eq!(json["serving_plmn"], "20801");
    assert_eq!(roaming(&attache, LINE)["roaming"], false);
    assert_eq!(prints_json(&attache, &["line", "show", LINE]), json);
}

#[test]
fn what_a_line_can_be_reached_by_is_what_is_named() {
    let attache = Attache::sandbox();
    for (flags, reachable) in [
        (&["--data"][..], json!(["DATA"])),
        (&["--sms"], json!(["SMS"])),
        (&["--data", "--sms"], json!(["DATA", "SMS"])),
        (&["--none"], json!([])),
    ] {
        let json = prints_json(&attache, &[&["line", "reach", LINE], flags].concat());
        assert_eq!(json["reachable"], reachable);
    }
    let table = prints(&attache, &["line", "reach", LINE, "--sms"]);
    assert!(rows(&table)[1].contains(&"SMS"), "{table}");
}

#[test]
fn a_line_is_added_shown_and_removed() {
    let attache = Attache::sandbox();
    let number = "+33699900001";
    assert_eq!(roaming(&attache, number)["code"], "IDENTIFIER_NOT_FOUND");
    let json = prints_json(&attache, &["line", "add", number, "--home", "20801"]);
    assert_eq!((&json["serving_plmn"], &json["reachable"]), (&json!("20801"), &json!(["DATA", "SMS"])));
    assert_eq!(roaming(&attache, number)["roaming"], false);
    assert!(prints(&attache, &["line", "show", number]).contains(number));
    let told = fails(&attache.command(&["line", "add", number, "--home", "20801"]), 1);
    assert!(told.contains(number) && told.contains("remove it first"), "{told}");
    let removed = prints(&attache, &["line", "remove", number]);
    assert!(removed.contains(number) && removed.contains("removed"), "{removed}");
    assert_eq!(roaming(&attache, number)["code"], "IDENTIFIER_NOT_FOUND");

    let seen = "2026-01-31T12:00:00Z";
    let arguments = ["line", "add", number, "--home", "20801", "--country", "DE", "--sms", "--seen-at", seen];
    let json = prints_json(&attache, &arguments);
    assert_eq!((&json["serving_plmn"], &json["reachable"]), (&json!("26201"), &json!(["SMS"])));
    let answer = roaming(&attache, number);
    assert!(answer["lastStatusTime"].as_str().unwrap().starts_with("2026-01-31T12:00:00"), "{answer}");
    assert_eq!(prints_json(&attache, &["line", "remove", number]), json!({"removed": true}));

    let json = prints_json(&attache, &["line", "add", number, "--home", "20801", "--never-seen"]);
    assert_eq!(json["serving_plmn"], Value::Null);
    assert_eq!(roaming(&attache, number)["code"], "UNAVAILABLE");
}

#[test]
fn an_error_about_a_line_says_what_to_do() {
    let attache = Attache::sandbox();
    let unknown = "+33600000000";
    for arguments in [
        &["line", "show", unknown][..],
        &["line", "remove", unknown],
        &["line", "roam", unknown, "--country", "DE"],
        &["line", "home", unknown],
        &["line", "reach", unknown, "--none"],
    ] {
        for arguments in [arguments.to_vec(), [arguments, &["--json"]].concat()] {
            let told = fails(&attache.command(&arguments), 1);
            assert_eq!(
                told,
                format!("attache: no line has the number {unknown}; `attache line list` shows those there are\n")
            );
        }
    }
    let told = fails(&attache.command(&["line", "roam", LINE, "--country", "XX"]), 1);
    assert!(told.contains("`XX`") && told.contains("ISO 3166"), "{told}");
    // Wrong usage is told before anybody is asked.
    for (arguments, word) in [
        (&["line", "show", "33699901032"][..], "E.164"),
        (&["line", "show", "+1"], "E.164"),
        (&["line", "roam", LINE], "--country"),
        (&["line", "roam", LINE, "--country", "DE", "--plmn", "26201"], "cannot be used with"),
        (&["line", "roam", LINE, "--plmn", "1"], "PLMN"),
        (&["line", "reach", LINE], "--data"),
        (&["line", "reach", LINE, "--none", "--sms"], "cannot be used with"),
        (&["line", "add", "+33699900001"], "--home"),
        (&["line", "list", "--limit", "0"], "1..=10000"),
        (&["line", "lost"], "subcommand"),
        (&[], "Usage"),
    ] {
        let told = fails(&attache.command(arguments), 2);
        assert!(told.contains(word), "{arguments:?}: {told}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let command =
        |arguments: &[&str]| program(data.path()).args(arguments).arg("--data-dir").arg(data.path()).output().unwrap();
    let told = fails(&command(&["line", "list"]), 1);
    for word in ["no server runs", "attache serve", "--url", "ATTACHE_URL", "--data-dir"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let mut attache = Attache::sandbox();
    attache.stop();
    assert!(fails(&attache.command(&["client", "list"]), 1).contains("no server runs"));
    // A killed server leaves word of where it was.
    attache.start();
    attache.kill();
    let told = fails(&attache.command(&["line", "show", LINE]), 1);
    assert!(told.contains("no server runs") && told.contains("attache serve"), "{told}");
    let told = fails(&attache.command(&["line", "list", "--url", "nonsense"]), 2);
    assert!(told.contains("--url"), "{told}");
}

#[test]
fn a_server_is_found_by_its_address_and_its_operators_token() {
    let attache = Attache::sandbox();
    let elsewhere = tempfile::tempdir().unwrap();
    let (url, token) = (attache.url(""), attache.admin_token());
    let list = |environment: &[(&str, &str)]| {
        let mut list = program(elsewhere.path());
        list.args(["line", "list", "--json"]).envs(environment.iter().copied()).output().unwrap()
    };
    assert!(list(&[("ATTACHE_URL", &url), ("ATTACHE_ADMIN_TOKEN", &token)]).status.success());
    let told = fails(&list(&[("ATTACHE_URL", &url), ("ATTACHE_ADMIN_TOKEN", "not-the-token")]), 1);
    assert!(told.contains("refuses") && told.contains("ATTACHE_ADMIN_TOKEN"), "{told}");
    assert!(!told.contains("not-the-token"), "{told}");
    let told = fails(&list(&[("ATTACHE_URL", &url)]), 1);
    assert!(told.contains("no credential") && told.contains("ATTACHE_ADMIN_TOKEN"), "{told}");
    let told = fails(&list(&[("ATTACHE_URL", "http://127.0.0.1:1"), ("ATTACHE_ADMIN_TOKEN", &token)]), 1);
    assert!(told.contains("no server runs at http://127.0.0.1:1"), "{told}");
}

/// A file in the server's data directory, which ends with it.
fn file(attache: &Attache, name: &str, text: &str) -> String {
    let path: PathBuf = attache.data_dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const HEADER: &str = "phone_number,home_plmn,serving_plmn,reachable,last_seen\n";

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let attache = Attache::sandbox();
    let file = attache.data_dir().join("lines.csv");
    let path = file.to_str().unwrap();
    let told = prints(&attache, &["line", "export", path]);
    let before = prints_json(&attache, &["line", "list"]);
    let count = before["total"].as_u64().unwrap();
    assert!(told.contains(&format!("{count} lines exported")), "{told}");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count() as u64, count + 1);
    for line in before["lines"].as_array().unwrap() {
        attache.command(&["line", "remove", line["phone_number"].as_str().unwrap()]);
    }
    assert_eq!(prints_json(&attache, &["line", "list"])["total"], 0);
    let told = prints(&attache, &["line", "import", path]);
    assert!(told.contains(&format!("{count} lines imported: {count} added, 0 replaced")), "{told}");
    assert_eq!(prints_json(&attache, &["line", "list"]), before);
    let again = prints_json(&attache, &["line", "import", path]);
    assert_eq!(again, json!({"imported": count, "added": 0, "replaced": count}));
    assert_eq!(prints_json(&attache, &["line", "list"]), before);
    let second = attache.data_dir().join("again.csv");
    let exported = prints_json(&attache, &["line", "export", second.to_str().unwrap()]);
    assert_eq!(exported, json!({"exported": count}));
    assert_eq!(fs::read_to_string(second).unwrap(), text);
}

#[test]
fn a_file_with_errors_is_refused_whole_with_the_numbers_of_its_lines() {
    let attache = Attache::sandbox();
    let before = prints_json(&attache, &["line", "list"]);
    let text = format!(
        "{HEADER}+4915100000001,26201,26201,DATA|SMS,2026-01-31T12:00:00Z\n\
         4915100000002,26201,26201,DATA,\n\
         +4915100000003,26201,26201,PIGEON,\n\
         +4915100000004,262,26201,,\n\
         +4915100000005,26201,26201,,yesterday\n\
         +4915100000006,26201\n\
         +4915100000001,26201,26201,,\n"
    );
    let path = file(&attache, "faulty.csv", &text);
    let told = fails(&attache.command(&["line", "import", &path]), 1);
    assert!(told.contains("nothing was imported"), "{told}");
    for line in 3..=8 {
        assert!(told.contains(&format!("faulty.csv:{line}: ")), "line {line}:\n{told}");
    }
    assert!(!told.contains("faulty.csv:2: "), "a good line is no error:\n{told}");
    assert!(told.contains("as on line 2"), "a number twice names both lines:\n{told}");
    assert_eq!(prints_json(&attache, &["line", "list"]), before);
}

#[test]
fn a_file_that_is_no_list_of_lines_is_refused() {
    let attache = Attache::sandbox();
    let before = prints_json(&attache, &["line", "list"]);
    for (name, text) in [
        ("empty.csv", ""),
        ("headless.csv", "+4915100000001,26201,26201,DATA,\n"),
        ("foreign.csv", "a,b,c\n1,2,3\n"),
        ("unknown-column.csv", "phone_number,home_plmn,serving_plmn,reachable,last_seen,shoe_size\n"),
        ("twice.csv", "phone_number,phone_number,home_plmn,serving_plmn,reachable,last_seen\n"),
    ] {
        let told = fails(&attache.command(&["line", "import", &file(&attache, name, text)]), 1);
        assert!(told.contains("nothing was imported") && told.contains(&format!("{name}:1: ")), "{name}: {told}");
    }
    let binary = attache.data_dir().join("binary.csv");
    fs::write(&binary, [HEADER.as_bytes(), b"\xff\xfe,\0,1,2,3\n"].concat()).unwrap();
    let told = fails(&attache.command(&["line", "import", binary.to_str().unwrap()]), 1);
    assert!(told.contains("binary.csv:2: "), "{told}");
    let told = fails(&attache.command(&["line", "import", "nowhere.csv"]), 1);
    assert!(told.contains("nowhere.csv can't be read"), "{told}");
    let told = fails(&attache.command(&["line", "export", "/nowhere/lines.csv"]), 1);
    assert!(told.contains("/nowhere/lines.csv can't be written"), "{told}");
    assert_eq!(prints_json(&attache, &["line", "list"]), before);
}

#[test]
fn only_the_first_hundred_errors_of_a_file_are_told_and_how_many_there_are() {
    let attache = Attache::sandbox();
    let text = format!("{HEADER}{}", "nonsense,1,2,3,4\n".repeat(5_000));
    let told = fails(&attache.command(&["line", "import", &file(&attache, "bad.csv", &text)]), 1);
    assert!(told.contains("lines with errors: 5000"), "{}", &told[..200]);
    assert_eq!(told.matches("bad.csv:").count(), 100);
}

#[test]
fn a_hundred_thousand_lines_are_imported_and_exported_the_same() {
    use std::fmt::Write as _;

    let mut attache = Attache::sandbox();
    for line in attache.facts()["lines"].as_array().unwrap() {
        attache.admin(Method::DELETE, &format!("/admin/v1/lines/{}", line["phone_number"].as_str().unwrap())).says(200);
    }
    let header = "phone_number,home_plmn,serving_plmn,reachable,last_seen\n";
    let mut text = header.to_owned();
    for index in 0..100_000 {
        let plmn = ["26201", "20801", "90112"][index % 3];
        let reachable = ["DATA|SMS", "DATA", "SMS", ""][index % 4];
        let second = index % 60;
        writeln!(text, "+4915{index:08},26201,{plmn},{reachable},2026-01-31T12:00:{second:02}Z").unwrap();
    }
    let path = file(&attache, "large.csv", &text);
    let told = prints(&attache, &["line", "import", &path]);
    assert!(told.contains("100000 lines imported: 100000 added, 0 replaced"), "{told}");
    let exported = attache.data_dir().join("exported.csv");
    let same = |attache: &Attache| {
        prints(attache, &["line", "export", exported.to_str().unwrap()]);
        let written = fs::read_to_string(&exported).unwrap();
        assert_eq!(written.lines().count(), 100_001);
        let (first, _) = written.split_once('\n').unwrap();
        assert!(first.starts_with(header.trim_end()), "{first}");
        let different = text.lines().zip(written.lines()).skip(1).find(|(ours, theirs)| !theirs.starts_with(ours));
        assert_eq!(different, None);
    };
    same(&attache);
    attache.kill();
    attache.start();
    same(&attache);
    assert_eq!(roaming(&attache, "+491500099999")["roaming"], false);
    assert_eq!(roaming(&attache, "+491500099998")["countryName"], json!([]));
}

#[test]
fn clients_are_listed_added_and_removed() {
    let attache = Attache::sandbox();
    let table = prints(&attache, &["client", "list"]);
    assert_eq!(rows(&table)[0][..2], ["PUBLISHER", "CLIENT"]);
    for client in ["camara-demo", "orange-demo", "my-app-id", "vonage-demo"] {
        assert!(table.contains(client), "{table}");
    }
    let list = prints_json(&attache, &["client", "list"]);
    assert!(list["clients"].as_array().unwrap().iter().all(|client| client.get("client_secret").is_none()), "{list}");

    let fetch = |id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials")];
        attache.post("/orange/oauth/v3/token").basic(id, secret).form(&form).send()
    };
    let added = ["client", "add", "--publisher", "orange", "--id", "shop", "--secret", "the-shops-secret"];
    let table = prints(&attache, &added);
    assert!(table.contains("shop") && !table.contains("the-shops-secret"), "a given secret is known already: {table}");
    let token = fetch("shop", "the-shops-secret");
    assert_eq!(token.status, 200, "{}", token.body);
    let ask = || {
        let path = "/orange/camara/orange-lab/device-roaming-status/v0/retrieve";
        let question = json!({"device": {"phoneNumber": LINE}});
        attache.post(path).bearer(&token.text("access_token")).json(&question).send().status
    };
    assert_eq!(ask(), 200);
    let told = fails(&attache.command(&added), 1);
    assert!(told.contains("has a client shop already") && told.contains("remove it first"), "{told}");

    let removed = prints(&attache, &["client", "remove", "--publisher", "orange", "shop"]);
    assert!(removed.contains("shop at orange is removed"), "{removed}");
    assert_eq!((fetch("shop", "the-shops-secret").status, ask()), (401, 401), "its tokens stop at once");
    let told = fails(&attache.command(&["client", "remove", "--publisher", "orange", "shop"]), 1);
    assert!(told.contains("orange has no client shop") && told.contains("attache client list"), "{told}");
}

#[test]
fn a_secret_that_is_made_is_shown_once() {
    let attache = Attache::sandbox();
    let made = prints_json(&attache, &["client", "add", "--publisher", "orange"]);
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    assert!(secret.len() >= 32, "{made}");
    let form = [("grant_type", "client_credentials")];
    attache.post("/orange/oauth/v3/token").basic(id, secret).form(&form).says(200);
    assert!(!prints(&attache, &["client", "list", "--json"]).contains(secret));
    let told = prints(&attache, &["client", "add", "--publisher", "orange", "--id", "shop"]);
    let secret = told.lines().find_map(|line| line.strip_prefix("secret, shown only now: ")).unwrap();
    attache.post("/orange/oauth/v3/token").basic("shop", secret).form(&form).says(200);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "assertions are judged by real time")]
fn a_client_with_a_public_key_signs_its_assertions() {
    let attache = Attache::sandbox();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let point = pair.public_key_raw();
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate(&point[1..33]), "y": coordinate(&point[33..])});
    let path = file(&attache, "shop.jwk", &jwk.to_string());
    let arguments = [
        "client",
        "add",
        "--publisher",
        "camara",
        "--id",
        "signer",
        "--public-key",
        &path,
        "--redirect-uri",
        "https://shop.example/callback",
        "--origin",
        "https://shop.example",
        "--scope",
        "device-roaming-status:read",
        "--purpose",
        "dpv:FraudPreventionAndDetection",
    ];
    let client = prints_json(&attache, &arguments);
    assert_eq!((&client["has_secret"], client.get("client_secret")), (&json!(false), None), "{client}");
    assert_eq!((&client["origins"], &client["keys"]), (&json!(["https://shop.example"]), &json!([jwk])));

    let endpoint = attache.facts()["publishers"]["camara"]["token_endpoint"].as_str().unwrap().to_owned();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"iss": "signer", "sub": "signer", "aud": endpoint, "jti": "one", "iat": now, "exp": now + 60});
    let key = jsonwebtoken::EncodingKey::from_ec_der(&pair.serialize_der());
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    let assertion = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    attache.post("/oauth2/token").form(&form).says(200);
    attache.post("/oauth2/token").form(&form).says(401);

    // A private key isn't sent anywhere.
    jwk["d"] = json!(coordinate(&[7; 32]));
    let private = file(&attache, "private.jwk", &jwk.to_string());
    let told = fails(&attache.command(&["client", "add", "--publisher", "camara", "--public-key", &private]), 1);
    assert!(told.contains("private") && told.contains("public part"), "{told}");
    let pem = file(&attache, "key.pem", &pair.public_key_pem());
    let told = fails(&attache.command(&["client", "add", "--publisher", "camara", "--public-key", &pem]), 1);
    assert!(told.contains("no JSON Web Key"), "{told}");
}

#[test]
fn an_error_about_a_client_says_what_to_do() {
    let attache = Attache::sandbox();
    let before = prints_json(&attache, &["client", "list"]);
    for (arguments, words) in [
        (&["--publisher", "nobody"][..], ["no publisher `nobody`", "camara, orange"]),
        (&["--publisher", "camara", "--scope", "everything"], ["scopes", "device-roaming-status:read"]),
        (&["--publisher", "camara", "--redirect-uri", "/callback"], ["redirect_uris", "absolute"]),
        (&["--publisher", "camara", "--redirect-uri", "https://a.example/#x"], ["redirect_uris", "fragment"]),
        (&["--publisher", "camara", "--origin", "https://a.example/path"], ["origins", "with no path"]),
        (&["--publisher", "camara", "--id", "a:b"], ["client_id", "colon"]),
    ] {
        let told = fails(&attache.command(&[&["client", "add"], arguments].concat()), 1);
        assert!(words.iter().all(|word| told.contains(word)), "{arguments:?}: {told}");
    }
    for arguments in [&["client", "add"][..], &["client", "add", "--publisher", "camara", "--purpose", "fun"]] {
        fails(&attache.command(arguments), 2);
    }
    assert_eq!(prints_json(&attache, &["client", "list"]), before);
}

#[test]
fn the_configuration_is_shown_with_where_it_comes_from() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("attache.toml");
    fs::write(&file, "token_lifetime = \"10m\"\n").unwrap();
    let shown = |arguments: &[&str]| {
        let mut config = program(home.path());
        config.args(["config", "--config"]).arg(&file).args(arguments).env("ATTACHE_CODE_LIFETIME", "30s");
        config.output().unwrap()
    };
    let output = shown(&["--json", "--listen", "127.0.0.1:0"]);
    let keys: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |key: &str| keys.as_array().unwrap().iter().find(|it| it["key"] == key).unwrap();
    let value = |key: &str| (of(key)["value"].as_str().unwrap(), of(key)["origin"].as_str().unwrap());
    assert_eq!(value("token_lifetime"), ("10m", file.to_str().unwrap()));
    assert_eq!(value("code_lifetime"), ("30s", "ATTACHE_CODE_LIFETIME"));
    assert_eq!(value("listen"), ("127.0.0.1:0", "--listen"));
    assert_eq!(value("mode"), ("sandbox", "default"));
    assert!(keys.as_array().unwrap().iter().all(|it| !it["meaning"].as_str().unwrap().is_empty()));
    let table = String::from_utf8(shown(&[]).stdout).unwrap();
    assert_eq!(rows(&table)[0], ["KEY", "VALUE", "ORIGIN", "MEANING"]);

    fs::write(&file, "token_lifetme = \"10m\"\nbody_limit = 12\n").unwrap();
    let output = shown(&[]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("token_lifetme") && told.contains("the nearest is token_lifetime"), "{told}");
    assert!(told.contains("body_limit") && told.contains("64KiB"), "{told}");
}

#[test]
fn the_operators_api_answers_errors_in_its_own_envelope() {
    let attache = Attache::sandbox();
    let refusal = |answer: crate::harness::Answer, code: &str| {
        let body = answer.json();
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        answer
    };
    for path in ["/admin/v1/lines", "/admin/v1/clients", "/admin/v1/lines/export", "/admin/v1/nowhere", "/admin"] {
        for request in [
            attache.get(path),
            attache.get(path).bearer("wrong"),
            attache.get(path).basic("admin", &attache.admin_token()),
            attache.get(path).header("authorization", &attache.admin_token()),
            attache.get(&format!("{path}?token={}", attache.admin_token())),
        ] {
            let answer = refusal(request.says(401), "UNAUTHENTICATED");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        }
    }
    let admin = |method: Method, path: &str| attache.admin(method, path);
    for path in
        ["/admin", "/admin/", "/admin/v1", "/admin/v1/", "/admin/v1/nowhere", "/admin/v2/lines", "/admin/v1/lines/"]
    {
        refusal(admin(Method::GET, path).says(404), "NOT_FOUND");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/admin/v1/lines", "GET"),
        (Method::PUT, "/admin/v1/lines/+33699901032", "DELETE"),
        (Method::GET, "/admin/v1/lines/+33699901032/roam", "POST"),
        (Method::GET, "/admin/v1/lines/import", "POST"),
        (Method::POST, "/admin/v1/lines/export", "GET"),
        (Method::POST, "/admin/v1/clients/camara/camara-demo", "DELETE"),
    ] {
        let answer = refusal(admin(method, path).says(405), "METHOD_NOT_ALLOWED");
        assert!(answer.header("allow").contains(allow), "{path}: {}", answer.header("allow"));
    }
    refusal(admin(Method::GET, "/admin/v1/lines/+33600000000").says(404), "UNKNOWN_LINE");
    refusal(admin(Method::GET, "/admin/v1/lines/nonsense").says(400), "INVALID_ARGUMENT");
    refusal(admin(Method::GET, "/admin/v1/lines?limit=many").says(400), "INVALID_ARGUMENT");
    refusal(admin(Method::GET, "/admin/v1/lines?color=red").says(400), "INVALID_ARGUMENT");
    refusal(admin(Method::DELETE, "/admin/v1/clients/camara/nobody").says(404), "UNKNOWN_CLIENT");
    refusal(admin(Method::DELETE, "/admin/v1/clients/nobody/nobody").says(400), "INVALID_ARGUMENT");
    for body in
        [json!({}), json!({"country": 1}), json!({"country": "DE", "plmn": "26201"}), json!({"x": 1}), json!([])]
    {
        refusal(admin(Method::POST, "/admin/v1/lines/+33699901032/roam").json(&body).says(400), "INVALID_ARGUMENT");
    }
    for body in [
        json!({"phone_number": "+33699901031"}),
        json!({"phone_number": "x", "home_plmn": "20801"}),
        json!({"phone_number": "+33699900001", "home_plmn": "x"}),
        json!({"phone_number": "+33699900001", "home_plmn": "20801", "shoe_size": 42}),
        json!({"phone_number": "+33699900001", "home_plmn": "20801", "never_seen": true, "reachable": ["SMS"]}),
    ] {
        refusal(admin(Method::POST, "/admin/v1/lines").json(&body).says(400), "INVALID_ARGUMENT");
    }
}
