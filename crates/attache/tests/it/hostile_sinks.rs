//! Sinks that mean harm, or are out of order; and what the operator says of whom to trust.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    faces::CAMARA,
    harness::{Answer, Attache, eventually, program},
    sink::Sink,
};

pub(crate) const LINE: &str = "+33639980001";
const PATH: &str = "/device-roaming-status-subscriptions/v0.8/subscriptions";
const ROAMING: &str = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-status";

/// Asks for a subscription that is told to this sink.
fn ask(attache: &Attache, token: &str, sink: &str) -> Answer {
    let detail = json!({ "device": { "phoneNumber": LINE } });
    let body = json!({
        "protocol": "HTTP", "sink": sink, "types": [ROAMING], "config": { "subscriptionDetail": detail },
    });
    attache.post(PATH).bearer(token).json(&body).send()
}

fn token(attache: &Attache) -> String {
    let scope = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{ROAMING}:create");
    CAMARA.two_legged(attache, &scope)
}

/// Makes a subscription of the demo client and returns its identifier.
pub(crate) fn subscribe(attache: &Attache, sink: &str) -> String {
    let answer = ask(attache, &token(attache), sink);
    assert_eq!(answer.status, 201, "{sink}: {}", answer.body);
    answer.text("id")
}

/// The first delivery of a subscription, as the operator sees it.
fn first_delivery(attache: &Attache, subscription: &str) -> Value {
    let path = format!("/admin/v1/subscriptions/{subscription}/deliveries");
    let list = attache.admin(Method::GET, &path).says(200).json();
    list["deliveries"].as_array().unwrap().last().unwrap().clone()
}

/// A server that does this to each that connects.
fn misbehaving(behave: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sink", listener.local_addr().unwrap());
    let behave = Arc::new(behave);
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let behave = Arc::clone(&behave);
            thread::spawn(move || behave(connection));
        }
    });
    url
}

/// A server that takes the request, says this, and then nothing until the other side has closed.
fn saying(text: &'static str) -> String {
    misbehaving(move |mut connection| {
        take(&mut connection);
        let _ = connection.write_all(text.as_bytes());
        let _ = connection.read_to_end(&mut Vec::new());
    })
}

/// A server that takes the request, says this, and then the other again and again; and how many bytes it has got
/// rid of on connections that were closed upon it.
fn repeating(beginning: &'static str, rest: &'static str, pause: Duration) -> (String, Arc<AtomicUsize>) {
    let said = Arc::new(AtomicUsize::new(0));
    let total = Arc::clone(&said);
    let url = misbehaving(move |mut connection| {
        take(&mut connection);
        let _ = connection.write_all(beginning.as_bytes());
        let mut written = 0;
        while connection.write_all(rest.as_bytes()).is_ok() {
            written += rest.len();
            // It is what makes it slow.
            thread::sleep(pause);
        }
        total.fetch_add(written.max(1), Ordering::SeqCst);
    });
    (url, said)
}

/// Reads a request, of which all comes at once.
fn take(connection: &mut TcpStream) {
    let _ = connection.read(&mut [0; 8192]);
}

/// What comes of a first delivery.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    TriedAgain,
    Dead,
    Delivered,
}

const AT_ONCE: Duration = Duration::ZERO;
const SLOWLY: Duration = Duration::from_millis(20);
/// As much as two machines keep for each other that nobody has read, generously.
const BUFFERS: usize = 64 * 1024 * 1024;

#[test]
fn sinks_that_mean_harm_are_tried_again_or_given_up_and_hold_up_nobody() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let attache = Attache::with_environment(
        &["--allow-http-sinks", "--sink-ca", &authority.file()],
        &[("ATTACHE_SINK_TIMEOUT", "1s")],
    );
    let inside = Sink::open();
    let elsewhere: &str = format!("HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", inside.url()).leak();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (endless_head, said_in_head) = repeating("HTTP/1.1 200 OK\r\nx: ", "aaaaaaaaaaaaaaaa", AT_ONCE);
    let (endless_body, said_in_body) =
        repeating("HTTP/1.1 200 OK\r\n\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", AT_ONCE);
    let silence = "it did not answer in time";
    let untrusted = "it cannot be connected to: invalid peer certificate: ";
    let sinks = [
        ("accepts nothing", format!("http://{}/", deaf.local_addr().unwrap()), silence, Fate::TriedAgain),
        ("is not there", format!("http://{closed}/"), "it cannot be connected to: ", Fate::TriedAgain),
        ("answers nothing", saying(""), silence, Fate::TriedAgain),
        ("closes at once", misbehaving(drop), "it broke off", Fate::TriedAgain),
        (
            "closes amid the head",
            misbehaving(|mut connection| {
                take(&mut connection);
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nconte");
            }),
            "it broke off",
            Fate::TriedAgain,
        ),
        ("trickles a head", repeating("HTTP/1.1 200 OK\r\nx: ", "a", SLOWLY).0, silence, Fate::TriedAgain),
        ("answers an endless head", endless_head, "it broke off", Fate::TriedAgain),
        ("informs for ever", repeating("", "HTTP/1.1 103 X\r\n\r\n", SLOWLY).0, silence, Fate::TriedAgain),
        ("answers garbage", saying("\0\u{1}\u{2} garbage \r\n\r\n"), "it broke off", Fate::TriedAgain),
        ("is no HTTP", saying("220 mail.example ESMTP\r\n"), "it broke off", Fate::TriedAgain),
        (
            "contradicts itself",
            saying("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
            "it broke off",
            Fate::TriedAgain,
        ),
        ("fails, and trickles", repeating("HTTP/1.1 503 X\r\n\r\n", "a", SLOWLY).0, "HTTP 503", Fate::TriedAgain),
        ("trickles a body", repeating("HTTP/1.1 200 OK\r\n\r\n", "a", SLOWLY).0, "HTTP 200", Fate::Delivered),
        ("answers an endless body", endless_body, "HTTP 200", Fate::Delivered),
        (
            "promises a huge body",
            saying("HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n"),
            "HTTP 200",
            Fate::Delivered,
        ),
        ("redirects", saying(elsewhere), "HTTP 307", Fate::Dead),
        (
            "redirects inside",
            saying("HTTP/1.1 302 X\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"),
            "HTTP 302",
            Fate::Dead,
        ),
        ("is nobody's", Sink::with_tls(stranger.server("127.0.0.1")).url(), untrusted, Fate::TriedAgain),
        ("is somebody else", Sink::with_tls(authority.server("shop.example")).url(), untrusted, Fate::TriedAgain),
        (
            "does not speak TLS",
            inside.url().replace("http:", "https:"),
            "it cannot be connected to: ",
            Fate::TriedAgain,
        ),
    ];
    let subscriptions = sinks.map(|(name, url, outcome, fate)| (name, subscribe(&attache, &url), outcome, fate));
    let (polite, trusted) = (Sink::open(), Sink::with_tls(authority.server("127.0.0.1")));
    for sink in [&polite, &trusted] {
        subscribe(&attache, &sink.url());
    }
    for country in ["DE", "BE", "DE", "BE"] {
        attache.change(LINE, "roam", &json!({ "country": country }));
        attache.change(LINE, "home", &json!({}));
    }
    for sink in [&polite, &trusted] {
        assert_eq!(sink.names(9)[8], "roaming-status");
    }
    for (name, subscription, outcome, fate) in subscriptions {
        eventually(&format!("what comes of a sink that {name} is told as {outcome}, {fate:?}"), || {
            let delivery = first_delivery(&attache, &subscription);
            let is_told = delivery["last_outcome"].as_str().is_some_and(|told| told.starts_with(outcome));
            let (state, attempts) = (delivery["state"].as_str().unwrap(), delivery["attempts"].as_u64().unwrap());
            let has_come = match fate {
                Fate::TriedAgain => state == "pending" && attempts > 1,
                Fate::Dead => state == "dead" && attempts == 1,
                Fate::Delivered => state == "delivered" && attempts == 1,
            };
            assert!(is_told || attempts < 2, "a sink that {name}: {delivery}");
            (is_told && has_come).then_some(())
        });
    }
    assert!(inside.events().is_empty(), "a redirect was followed: {:?}", inside.events());
    for (what, said) in [("head", said_in_head), ("body", said_in_body)] {
        let said = eventually(&format!("the endless {what} is cut off"), || {
            Some(said.load(Ordering::SeqCst)).filter(|said| *said > 0)
        });
        assert!(said < BUFFERS, "{said} bytes of an endless {what} were taken");
    }
}

#[test]
fn a_sink_is_refused_however_its_inside_address_is_written() {
    let attache = Attache::with(&["--sink-network", "10.1.0.0/16"]);
    let token = token(&attache);
    for sink in [
        "https://10.0.0.1/",
        "https://10.0.0.1./",
        "https://167772161/",
        "https://0xa000001/",
        "https://012.0.0.1/",
        "https://10.1/",
        "https://%31%30.0.0.1/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://\u{ff11}\u{ff10}.0.0.1/",
        "https://m\u{fc}nchen.example/",
        "https://xn--a/",
        "https://user:secret@shop.example/",
        "https://user@shop.example/",
        "https://:secret@shop.example/",
        "https:///shop.example/",
        "https://shop.example:99999/",
        "http://shop.example/",
    ] {
        let refused = ask(&attache, &token, sink);
        assert_eq!((refused.status, refused.text("code").as_str()), (400, "INVALID_SINK"), "{sink}: {}", refused.body);
        assert!(!refused.body.contains("secret"), "{}", refused.body);
    }
    for sink in ["https://10.1.0.1/", "https://[2606:4700::1111]/", "https://xn--mnchen-3ya.example/"] {
        let made = ask(&attache, &token, sink);
        assert_eq!((made.status, made.text("sink").as_str()), (201, sink), "{}", made.body);
    }
}

#[test]
fn a_sink_may_be_an_address_of_the_sixth_version() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let attache = Attache::with(&["--allow-http-sinks"]);
    let sink = Sink::open_on("[::1]:0");
    subscribe(&attache, &sink.url());
    let event = &sink.received(1)[0];
    let port = sink.url().rsplit_once(':').unwrap().1.trim_end_matches("/sink").to_owned();
    assert!(event.head.contains(&format!("\r\nhost: [::1]:{port}\r\n")), "{}", event.head);
}

#[test]
fn a_date_in_retry_after_is_waited_for() {
    let attache = Attache::with(&["--allow-http-sinks"]);
    let date = |arguments: &[&str]| {
        let output = Command::new("date").arg("-u").args(arguments).env("LC_ALL", "C").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let until = date(&["-d", "+4 seconds", "+%s"]);
    let header = date(&["-d", &format!("@{until}"), "+retry-after: %a, %d %b %Y %H:%M:%S GMT"]);
    let header: &str = format!("{header}\r\n").leak();
    let sink = Sink::answering(move |_, before| if before == 0 { (503, header) } else { (204, "") });
    subscribe(&attache, &sink.url());
    sink.received(2);
    assert!(date(&["+%s"]) >= until, "it came before it was asked to");
}

/// What `attache serve` says that does not start.
fn serve(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    program(directory.path()).args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).output().unwrap()
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_stops_the_start_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authorities.pem");
    let pem = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    for (text, told) in [
        (None, "cannot be read"),
        (Some(String::new()), "has no certificate"),
        (Some("no PEM at all".to_owned()), "has no certificate"),
        (Some(pem("?")), "has something that is no certificate"),
        (Some(pem("aGVsbG8=")), "has something that is no certificate"),
    ] {
        if let Some(text) = &text {
            fs::write(&path, text).unwrap();
        }
        for flag in ["--sink-ca", "--jwks-ca"] {
            let output = serve(&[flag, path.to_str().unwrap()]);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{flag} {text:?}");
            assert!(said.contains(told) && said.contains(path.to_str().unwrap()), "{flag} {text:?}: {said}");
        }
    }
}
