//! The log between two calls, two starts, and somebody who is at its files meanwhile.

use attache_core::{AuditEvent, Id, LegalBasis, LineId, PublisherName, Purpose, Scope, SubjectKey, Timestamp};
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// Knows the keys of two lines.
struct TwoLines;

impl Subjects for TwoLines {
    fn subject_key(&self, line: LineId) -> Option<SubjectKey> {
        matches!(line.as_bytes()[0], 1 | 2).then(|| SubjectKey::from_bytes([line.as_bytes()[0]; 8]))
    }
}

fn line(first: u8) -> LineId {
    LineId::from_bytes([first; 16])
}

fn open(directory: &Path) -> FileAuditLog {
    FileAuditLog::open(directory, key(), Arc::new(TwoLines), 0).unwrap()
}

fn key() -> AuditKey {
    AuditKey::new(b"a key for the tests")
}

fn at() -> Timestamp {
    Timestamp::from_unix_nanoseconds(1_700_000_000_123_456_789)
}

async fn record(log: &FileAuditLog, correlator: &str) -> Result<(), AuditError> {
    log.record(AuditRecord {
        publisher: Some(&PublisherName::new_static("camara")),
        client_id: Some("shop"),
        action: "/device-roaming-status/v1/retrieve",
        subject: Some(line(1)),
        scopes: &[Scope::new_static("device-roaming-status:read"), Scope::new_static("openid")],
        purpose: Some(&Purpose::new_static("dpv:FraudPreventionAndDetection")),
        legal_basis: Some(LegalBasis::Consent),
        correlator: Some(correlator),
        ..AuditRecord::new(at(), AuditEvent::Query, "answered")
    })
    .await
}

/// A log with one segment of these records, each in a batch of its own.
async fn log_of(correlators: &[&str]) -> TempDir {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    for correlator in correlators {
        record(&log, correlator).await.unwrap();
    }
    directory
}

fn segment(directory: &TempDir, number: u64) -> PathBuf {
    directory.path().join(format!("{number:010}.jsonl"))
}

fn head(directory: &TempDir, number: u64) -> PathBuf {
    directory.path().join(format!("{number:010}.head"))
}

/// So many days after the first records of the tests.
fn after(days: u64) -> Timestamp {
    at().plus(Duration::from_hours(24 * days))
}

async fn record_at(log: &FileAuditLog, day: u64, subject: u8, client: &str) {
    let record = AuditRecord {
        publisher: Some(&PublisherName::new_static("camara")),
        client_id: Some(client),
        subject: Some(line(subject)),
        ..AuditRecord::new(after(day), AuditEvent::Query, "answered")
    };
    log.record(record).await.unwrap();
}

fn lines(directory: &TempDir, number: u64) -> Vec<String> {
    let text = std::fs::read_to_string(segment(directory, number)).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn records(directory: &TempDir, number: u64) -> Vec<serde_json::Value> {
    let lines = lines(directory, number);
    let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    values.filter(|value| value.get("seq").is_some()).collect()
}

fn findings(directory: &TempDir) -> Vec<Finding> {
    let segments = verify(directory.path(), &key()).unwrap().segments;
    segments.into_iter().flat_map(|segment| segment.findings).collect()
}

#[tokio::test]
async fn a_record_is_one_line_of_json() {
    let directory = log_of(&["c-1"]).await;
    let [value] = &records(&directory, 1)[..] else { panic!("one record") };
    let expected = serde_json::json!({
        "seq": 1,
        "at": "2023-11-14T22:13:20.123456789Z",
        "event": "query",
        "publisher": "camara",
        "client_id": "shop",
        "action": "/device-roaming-status/v1/retrieve",
        "subject": key().pseudonym(line(1), SubjectKey::from_bytes([1; 8])).to_string(),
        "purpose": "dpv:FraudPreventionAndDetection",
        "legal_basis": "consent",
        "correlator": "c-1",
        "outcome": "answered",
        "scopes": ["device-roaming-status:read", "openid"],
    });
    assert_eq!(*value, expected);
}

#[tokio::test]
async fn a_record_tells_which_subscription_and_how_many() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    let told = AuditRecord {
        subscription: Some(Id::from_bytes([7; 16])),
        ..AuditRecord::new(at(), AuditEvent::Delivery, "delivered")
    };
    let counted = AuditRecord {
        scopes: &[Scope::new_static("a")],
        count: Some(3),
        ..AuditRecord::new(at(), AuditEvent::TokenRevoked, "revoked")
    };
    for record in [told, counted] {
        log.record(record).await.unwrap();
    }
    let [told, counted] = &records(&directory, 1)[..] else { panic!("two records") };
    assert_eq!(told["subscription"], "07070707-0707-0707-0707-070707070707");
    assert_eq!((&counted["scopes"], &counted["count"]), (&json!(["a"]), &json!(3)));
    drop(log);
    assert_eq!(findings(&directory), []);
}

#[tokio::test]
async fn what_a_record_does_not_know_is_not_in_it() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    let nothing = AuditRecord::new(at(), AuditEvent::TokenRefused, "invalid_client");
    log.record(AuditRecord { subject: Some(line(3)), ..nothing }).await.unwrap();
    log.record(AuditRecord { scopes: &[Scope::new_static("a")], ..nothing }).await.unwrap();
    let common = |seq: u8| {
        json!({
            "seq": seq, "at": "2023-11-14T22:13:20.123456789Z", "event": "token_refused", "outcome": "invalid_client",
        })
    };
    let (without, mut with) = (common(1), common(2));
    with["scopes"] = json!(["a"]);
    assert_eq!(records(&directory, 1), [without, with], "a line that is gone has no pseudonym");
}

#[test]
fn a_pseudonym_hangs_on_the_line_on_its_key_and_on_that_of_the_log() {
    let pseudonym =
        |log: &[u8], id: u8, own: u8| AuditKey::new(log).pseudonym(line(id), SubjectKey::from_bytes([own; 8]));
    assert_eq!(pseudonym(b"a", 1, 1), pseudonym(b"a", 1, 1));
    assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"b", 1, 1));
    assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"a", 2, 1));
    assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"a", 1, 2));
    let text = pseudonym(b"a", 1, 1).to_string();
    assert_eq!(text.parse(), Ok(pseudonym(b"a", 1, 1)));
    for wrong in ["", "a", &text[1..], &text.to_uppercase(), "+33699901032"] {
        assert_eq!(wrong.parse::<Pseudonym>(), Err(PseudonymError), "{wrong}");
    }
}

#[tokio::test]
async fn foreign_text_stays_inside_its_field() {
    let foreign = "\"},\n{\"seal\":\"\\ \u{1}\u{1f}\t\u{7f}ü\u{2028}😀\r";
    let directory = log_of(&[foreign]).await;
    assert_eq!(records(&directory, 1)[0]["correlator"], foreign);
    assert_eq!(lines(&directory, 1).len(), 4);
    assert_eq!(findings(&directory), []);
}

#[test]
fn every_character_is_escaped_as_json_wants_it() {
    let text: String = (0..=0x2ff).filter_map(char::from_u32).collect();
    let mut bytes = b"\"".to_vec();
    push_escaped(&mut bytes, &text);
    bytes.push(b'"');
    assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_records_at_once_are_all_there_in_the_order_of_their_numbers() {
    let directory = TempDir::new().unwrap();
    let log = Arc::new(open(directory.path()));
    let tasks = (0..100).map(|task| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for index in 0..20 {
                record(&log, &format!("{task}-{index}")).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let records = records(&directory, 1);
    let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=2000).collect::<Vec<_>>());
    let seals = lines(&directory, 1).len() - 2001;
    assert!(seals < 1000, "{seals} seals: records must share their writes");
    let report = &verify(directory.path(), &key()).unwrap().segments[0];
    assert_eq!((report.records, report.cut, &report.findings[..]), (2000, None, [].as_slice()));
}

#[tokio::test]
async fn a_record_is_in_the_file_when_it_was_acknowledged() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    record(&log, "c-1").await.unwrap();
    assert_eq!(records(&directory, 1).len(), 1);
}

#[tokio::test]
async fn whatever_is_done_to_a_sealed_line_is_found() {
    type Deed = fn(&mut Vec<String>);
    let deeds: [(&str, Deed); 9] = [
        ("changed", |lines| lines[4] = lines[4].replace("answered", "unknown_line")),
        ("a seal changed", |lines| lines[5] = lines[5].replace("\"records\":1", "\"records\":2")),
        ("removed with its seal", |lines| drop(lines.drain(4..6))),
        ("removed without its seal", |lines| drop(lines.remove(4))),
        ("its seal removed", |lines| drop(lines.remove(5))),
        ("reordered with their seals", |lines| lines[2..6].rotate_left(2)),
        ("reordered without their seals", |lines| lines.swap(2, 4)),
        ("added", |lines| lines.insert(4, lines[2].clone())),
        ("the header changed", |lines| lines[0] = lines[0].replace("\"segment\":1", "\"segment\":9")),
    ];
    for (name, deed) in deeds {
        let directory = log_of(&["c-1", "c-2", "c-3"]).await;
        assert_eq!(findings(&directory), [], "{name}");
        let mut lines = lines(&directory, 1);
        deed(&mut lines);
        std::fs::write(segment(&directory, 1), lines.concat()).unwrap();
        assert!(matches!(findings(&directory)[..], [Finding::Altered { .. }]), "{name}");
    }
}

#[tokio::test]
async fn another_key_vouches_for_nothing() {
    let directory = log_of(&["c-1"]).await;
    assert!(!verify(directory.path(), &AuditKey::new(b"another")).unwrap().is_intact());
}

#[tokio::test]
async fn an_end_that_was_cut_off_in_a_write_is_told_and_tolerated() {
    let directory = log_of(&["c-1", "c-2"]).await;
    let path = segment(&directory, 1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole, b"{\"seq\":3,\"at\":\"20".as_slice()].concat()).unwrap();
    // The next start goes on after the last good seal.
    drop(open(directory.path()));
    let verification = verify(directory.path(), &key()).unwrap();
    assert!(verification.is_intact(), "{verification:?}");
    assert_eq!(verification.segments[0].records, 2);
    assert_eq!(verification.segments[0].cut, Some(Cut { line: 7, bytes: 17 }));
}

#[tokio::test]
async fn what_is_cut_from_a_segment_that_another_follows_is_found() {
    let directory = log_of(&["c-1", "c-2"]).await;
    drop(open(directory.path()));
    assert_eq!(findings(&directory), []);
    std::fs::write(segment(&directory, 1), lines(&directory, 1)[..4].concat()).unwrap();
    assert_eq!(findings(&directory), [Finding::CutOff { last_line: 4, records: 1 }, Finding::PreviousSegmentCut]);
}

#[tokio::test]
async fn a_newest_segment_that_was_removed_with_its_head_is_found_and_the_next_start_does_not_hide_it() {
    let directory = log_of(&["c-1"]).await;
    drop(open(directory.path()));
    assert_eq!(findings(&directory), []);
    for path in [segment(&directory, 2), head(&directory, 2)] {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(findings(&directory), [Finding::NextMissing]);
    drop(open(directory.path()));
    assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 1 }]);
}

#[tokio::test]
async fn a_log_that_was_removed_before_the_next_start_is_missed() {
    let directory = TempDir::new().unwrap();
    let log = FileAuditLog::open(directory.path(), key(), Arc::new(TwoLines), 2).unwrap();
    assert_eq!(log.segment(), 3);
    assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 0 }]);
}

#[tokio::test]
async fn a_segment_that_lost_all_its_records_and_its_head_is_found() {
    let directory = log_of(&["c-1"]).await;
    std::fs::write(segment(&directory, 1), lines(&directory, 1)[..2].concat()).unwrap();
    std::fs::remove_file(head(&directory, 1)).unwrap();
    assert_eq!(findings(&directory), [Finding::HeadMissing]);
}

#[tokio::test]
async fn a_server_that_was_killed_while_it_began_a_segment_has_lost_nothing() {
    for has_file in [false, true] {
        let directory = log_of(&["c-1"]).await;
        let last = lines(&directory, 1).last().unwrap()[9..73].to_owned();
        Head::of_nothing(2, Seal::from_hex(last.as_bytes()).unwrap(), &key()).write(directory.path(), &key()).unwrap();
        if has_file {
            std::fs::write(segment(&directory, 2), "{\"segm").unwrap();
        }
        assert_eq!(findings(&directory), [], "with a file: {has_file}");
        let log = open(directory.path());
        record(&log, "c-2").await.unwrap();
        drop(log);
        assert_eq!((findings(&directory), records(&directory, 3).len()), (vec![], 1), "with a file: {has_file}");
    }
}

#[tokio::test]
async fn a_log_that_is_gone_is_not_as_it_was_written() {
    let directory = TempDir::new().unwrap();
    assert!(!verify(directory.path(), &key()).unwrap().is_intact());
}

#[tokio::test]
async fn a_segment_by_another_name_is_missed() {
    let directory = log_of(&["c-1"]).await;
    std::fs::rename(segment(&directory, 1), directory.path().join("1.jsonl")).unwrap();
    assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
}

#[tokio::test]
async fn what_somebody_added_without_a_seal_is_no_record() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    record(&log, "c-1").await.unwrap();
    let mut file = OpenOptions::new().append(true).open(segment(&directory, 1)).unwrap();
    file.write_all(lines(&directory, 1)[2].replace("c-1", "c-9").as_bytes()).unwrap();
    assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap().records.len(), 1);
    let cut = verify(directory.path(), &key()).unwrap().segments[0].cut;
    assert_eq!(cut.map(|cut| cut.line), Some(5));
    // The server goes on writing after it.
    record(&log, "c-2").await.unwrap();
    assert!(matches!(findings(&directory)[..], [Finding::Altered { first_line: 5, .. }, ..]));
}

#[tokio::test]
async fn a_segment_that_was_removed_is_found_with_its_head_or_without() {
    let directory = log_of(&["c-1"]).await;
    for _ in 0..3 {
        drop(open(directory.path()));
    }
    assert_eq!(findings(&directory), []);
    std::fs::remove_file(segment(&directory, 1)).unwrap();
    assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
    std::fs::remove_file(head(&directory, 1)).unwrap();
    assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 0 }]);
    std::fs::remove_file(segment(&directory, 3)).unwrap();
    std::fs::remove_file(head(&directory, 3)).unwrap();
    assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 0 }, Finding::SegmentsMissing { after: 2 }]);
}

#[tokio::test]
async fn what_is_cut_from_the_end_of_the_newest_segment_is_found() {
    for (left, last_line, records) in [(4, 4, 2), (6, 6, 1), (2, 2, 3), (0, 0, 3)] {
        let directory = log_of(&["c-1", "c-2", "c-3"]).await;
        std::fs::write(segment(&directory, 1), lines(&directory, 1)[..left].concat()).unwrap();
        assert_eq!(findings(&directory), [Finding::CutOff { last_line, records }]);
        // The next start does not make it good.
        drop(open(directory.path()));
        assert!(findings(&directory).contains(&Finding::CutOff { last_line, records }));
    }
}

#[tokio::test]
async fn a_change_is_told_by_its_record_and_what_is_left_alone_is_not_accused() {
    let directory = log_of(&["c-1", "c-2", "c-3", "c-4", "c-5"]).await;
    let mut changed = lines(&directory, 1);
    changed[4] = changed[4].replace("c-2", "c-9");
    changed[8] = changed[8].replace("answered", "unknown_line");
    std::fs::write(segment(&directory, 1), changed.concat()).unwrap();
    let altered = |first_line, record| Finding::Altered {
        first_line,
        last_line: first_line + 1,
        records: Some((record, record)),
    };
    assert_eq!(findings(&directory), [altered(5, 2), altered(9, 4)]);
    assert_eq!(altered(5, 2).to_string(), "record 2 (lines 5 to 6) was changed, removed, added or moved");
    assert_eq!(verify(directory.path(), &key()).unwrap().segments[0].records, 3);
}

#[tokio::test]
async fn a_head_or_an_index_that_was_changed_is_found() {
    type Deed = fn(&TempDir);
    let deeds: [(Deed, Finding); 4] = [
        (|directory| std::fs::remove_file(head(directory, 1)).unwrap(), Finding::HeadMissing),
        (|directory| std::fs::write(head(directory, 1), "{}").unwrap(), Finding::HeadAltered),
        (
            |directory| {
                let text = std::fs::read_to_string(head(directory, 1)).unwrap();
                std::fs::write(head(directory, 1), text.replace("closed", "dropped")).unwrap();
            },
            Finding::HeadAltered,
        ),
        (|directory| std::fs::write(contents::index_path(directory.path(), 1), "").unwrap(), Finding::IndexAltered),
    ];
    for (deed, finding) in deeds {
        let directory = log_of(&["c-1", "c-2"]).await;
        drop(open(directory.path()));
        assert_eq!(findings(&directory), []);
        deed(&directory);
        assert_eq!(findings(&directory), [finding]);
    }
}

#[tokio::test]
async fn a_server_that_was_killed_left_a_segment_that_the_next_start_closes() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    record(&log, "c-1").await.unwrap();
    let killed = std::fs::read(segment(&directory, 1)).unwrap();
    let first_head = Head::read(directory.path(), 1, &key()).unwrap();
    drop(log);
    // As if the last head had not been written.
    std::fs::write(segment(&directory, 1), killed).unwrap();
    let first_head = first_head.good().expect("a segment has a head from its beginning");
    first_head.write(directory.path(), &key()).unwrap();
    assert_eq!(findings(&directory), []);
    drop(open(directory.path()));
    let closed = Head::read(directory.path(), 1, &key()).unwrap().good().expect("a good head");
    assert_eq!((closed.state, closed.records, closed.times), (State::Closed, 1, Some((at(), at()))));
    assert_eq!(findings(&directory), []);
}

#[tokio::test]
async fn what_is_old_is_dropped_and_the_chain_still_holds() {
    let directory = TempDir::new().unwrap();
    for day in 0..3 {
        let log = open(directory.path());
        record_at(&log, day, 1, "shop").await;
        record_at(&log, day, 2, "bank").await;
    }
    let log = open(directory.path());
    assert_eq!(log.retain(after(1)).unwrap(), Dropped { segments: 1, records: 2 });
    assert_eq!(log.retain(after(1)).unwrap(), Dropped::default());
    assert!(!segment(&directory, 1).exists() && !contents::index_path(directory.path(), 1).exists());
    assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap().records.len(), 4);
    let verification = verify(directory.path(), &key()).unwrap();
    assert!(verification.is_intact(), "{verification:?}");
    assert_eq!((verification.segments[0].is_dropped, verification.segments[0].records), (true, 2));
    // Also the one that is written to goes when all of it is old.
    record_at(&log, 3, 1, "shop").await;
    assert_eq!(log.retain(after(9)).unwrap(), Dropped { segments: 3, records: 5 });
    assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap(), AuditPage::default());
    record_at(&log, 9, 1, "shop").await;
    drop(log);
    assert_eq!(findings(&directory), []);
    // Nobody else can drop one.
    std::fs::remove_file(segment(&directory, 5)).unwrap();
    assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
}

#[tokio::test]
async fn records_of_another_day_go_into_another_segment() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    for day in [0, 0, 1, 1, 5] {
        record_at(&log, day, 1, "shop").await;
    }
    // The one that shows that a day is over ends its segment.
    assert_eq!([1, 2].map(|number| records(&directory, number).len()), [3, 2]);
}

#[tokio::test]
async fn records_are_found_by_subject_client_kind_and_time_page_by_page() {
    let directory = TempDir::new().unwrap();
    for day in 0..3 {
        let log = open(directory.path());
        for (subject, client) in [(1, "shop"), (2, "shop"), (1, "bank"), (3, "shop")] {
            record_at(&log, day, subject, client).await;
        }
    }
    // The newest segment has no index, the others have one.
    let log = open(directory.path());
    record_at(&log, 3, 1, "shop").await;
    log.shared.sync();
    let all = AuditFilter::default();
    let subject = log.pseudonym(line(1));
    let client = |name: &str| AuditFilter { client_id: Some(name.to_owned()), ..all.clone() };
    let table = [
        (all.clone(), 13),
        (AuditFilter { subject, ..all.clone() }, 7),
        (AuditFilter { subject: log.pseudonym(line(2)), ..all.clone() }, 3),
        (client("shop"), 10),
        (client("bank"), 3),
        (client("nobody"), 0),
        (AuditFilter { subject, ..client("bank") }, 3),
        (AuditFilter { event: Some(AuditEvent::Query), ..all.clone() }, 13),
        (AuditFilter { event: Some(AuditEvent::TokenIssued), ..all.clone() }, 0),
        (AuditFilter { publisher: Some(PublisherName::new_static("orange")), ..all.clone() }, 0),
        (AuditFilter { from: Some(after(1)), ..all.clone() }, 9),
        (AuditFilter { from: Some(after(1)), to: Some(after(2)), ..all.clone() }, 4),
        (AuditFilter { from: Some(after(1)), subject, ..client("shop") }, 3),
    ];
    for (filter, expected) in table {
        let mut exported = Vec::new();
        log.each(&filter, &mut |line| {
            exported.push(line.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(exported.len(), expected, "{filter:?}");
        exported.reverse();
        for limit in [1, 2, 5, 100] {
            let (mut listed, mut next) = (Vec::new(), None);
            loop {
                let page = log.page(&filter, next, limit).unwrap();
                assert!(page.records.len() <= limit && (page.next.is_none() || page.records.len() == limit));
                listed.extend(page.records);
                next = page.next.map(|next| next.to_string().parse::<Position>().unwrap());
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(listed, exported, "{filter:?}, {limit} at a time");
        }
    }
    drop(log);
    assert_eq!(findings(&directory), []);
}

#[tokio::test]
async fn one_segment_cannot_stand_for_another() {
    let directory = log_of(&["c-1"]).await;
    drop(open(directory.path()));
    std::fs::copy(segment(&directory, 1), segment(&directory, 2)).unwrap();
    assert!(matches!(findings(&directory)[..], [Finding::Altered { .. }]));
}

#[tokio::test]
async fn a_full_segment_is_followed_by_a_new_one() {
    let directory = TempDir::new().unwrap();
    let log = FileAuditLog::open_with_limit(directory.path(), key(), Arc::new(TwoLines), 0, 2000).unwrap();
    for _ in 0..20 {
        record(&log, "c").await.unwrap();
    }
    drop(log);
    let verification = verify(directory.path(), &key()).unwrap();
    assert!(verification.is_intact(), "{verification:?}");
    assert!(verification.segments.len() > 2);
    assert_eq!(verification.segments.iter().map(|segment| segment.records).sum::<u64>(), 20);
}

#[tokio::test]
async fn everybody_hears_of_a_write_that_fails_and_the_next_one_tries_again() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    record(&log, "c-1").await.unwrap();
    let good = {
        // A file that is not open for writing fails as a full disk does.
        let unwritable = Arc::new(File::open(segment(&directory, 1)).unwrap());
        std::mem::replace(&mut lock(&log.shared.segment).file, unwritable)
    };
    let (one, two) = tokio::join!(record(&log, "c-2"), record(&log, "c-3"));
    assert!(one.is_err() && two.is_err());
    // The bad write could not be cut off, so a new segment begins.
    record(&log, "c-4").await.unwrap();
    drop((log, good));
    let correlators = |number| -> Vec<_> {
        records(&directory, number).iter().map(|record| record["correlator"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((correlators(1), correlators(2)), (vec!["c-1".to_owned()], vec!["c-4".to_owned()]));
    assert_eq!(findings(&directory), []);
}

#[tokio::test]
async fn half_a_write_is_cut_off() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    record(&log, "c-1").await.unwrap();
    {
        let mut segment = lock(&log.shared.segment);
        let length = segment.length;
        (&*segment.file).write_all(b"{\"seq\":2,\"at\":\"20").unwrap();
        segment.take_back();
        assert_eq!((segment.file.metadata().unwrap().len(), segment.closed), (length, false));
    }
    record(&log, "c-2").await.unwrap();
    drop(log);
    assert_eq!(records(&directory, 1).len(), 2);
    assert_eq!(findings(&directory), []);
}

#[tokio::test]
async fn a_record_whose_caller_stopped_waiting_is_written_all_the_same() {
    let directory = TempDir::new().unwrap();
    let log = open(directory.path());
    tokio::select! {
        biased;
        _ = record(&log, "c-1") => panic!("it yields first"),
        () = std::future::ready(()) => {}
    }
    drop(log);
    assert_eq!(records(&directory, 1).len(), 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("audit");
    let _log = open(&inner);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(&inner.join("0000000001.jsonl"))), (0o700, 0o600));
}
