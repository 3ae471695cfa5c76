//! Lines as CSV (RFC 4180, UTF-8), for spreadsheets and scripts.
//!
//! ```text
//! phone_number,home_plmn,serving_plmn,reachable,last_seen
//! +33699901032,20801,26201,DATA|SMS,2024-07-22T12:23:21.112Z
//! +33699901033,20801,20801,,
//! +33699901034,20801,,,
//! ```
//!
//! The first line is served in Germany; the second is at home, reachable by nothing, seen now; the
//! third was never seen. Columns are found by their names, in any order; those of [`OPTIONAL`] may be
//! missing. What [`write()`] writes, [`read`] reads as the same lines.

use std::{
    fmt,
    io::{self, Read, Write},
    net::Ipv4Addr,
};

use attache_core::{Addresses, Line, PhoneNumber, Plmn, Status, Technology, Timestamp};

use crate::NewLine;

/// The columns that every file has.
pub const REQUIRED: [&str; 5] = ["phone_number", "home_plmn", "serving_plmn", "reachable", "last_seen"];

/// The columns that a file may have.
///
/// - `reachability_last_seen`: when the reachability was last confirmed, where it is not `last_seen`.
/// - `public_ipv4`, and `public_ports` (`first-last`) when only these are the line's.
/// - `private_ipv4`: the address inside the operator's network.
/// - `ipv6_prefix`: the /64 prefix, such as `2001:db8:1:2::/64`.
/// - `technology`: the access technology, `2G` to `5G`; empty when the network cannot tell.
/// - `technology_last_seen`: when that was last confirmed, where it is not `last_seen`.
/// - `network_access_identifier`: `local@domain`, as its operator has given it to the line.
/// - `eligible`: `no` when the service is not offered for the line, else `yes` or empty.
pub const OPTIONAL: [&str; 9] = [
    "reachability_last_seen",
    "public_ipv4",
    "public_ports",
    "private_ipv4",
    "ipv6_prefix",
    "technology",
    "technology_last_seen",
    "network_access_identifier",
    "eligible",
];

/// The most faults that are told apart.
const TOLD: usize = 100;

/// Something wrong with one line of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The line, counted from 1, the header included.
    pub line: u64,
    /// What is wrong and what is needed. It names no phone number.
    pub message: String,
}

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has faults.
    #[error("nothing was imported: the file has faults in {total} of its lines")]
    Faults {
        /// The first of them.
        faults: Vec<Fault>,
        /// How many there are.
        total: usize,
    },
    /// It cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

/// Reads all lines of a file. A line without `last_seen` that has a network was seen `now`.
///
/// # Errors
/// [`ReadError::Faults`] with everything that is wrong, not only the first.
pub fn read(file: impl Read, now: Timestamp) -> Result<Vec<NewLine>, ReadError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
    let mut faults = Faults::default();
    let columns = match reader.byte_headers().map_err(unreadable).map(Columns::of)? {
        Ok(columns) => columns,
        Err(message) => {
            faults.add(1, message);
            return Err(faults.into_error());
        }
    };
    let mut lines = Vec::new();
    let mut origins: Vec<(PhoneNumber, u64)> = Vec::new();
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        let number = record.position().map_or(0, csv::Position::line);
        match columns.line(&record, now) {
            Ok(line) => {
                origins.push((line.phone_number, number));
                lines.push(line);
            }
            Err(message) => faults.add(number, message),
        }
    }
    origins.sort_unstable();
    for pair in origins.array_windows::<2>().filter(|[one, next]| one.0 == next.0) {
        let [(_, first), (_, second)] = *pair;
        faults.add(second, format!("phone_number: the same number as on line {first}; leave one of them out"));
    }
    if faults.total > 0 { Err(faults.into_error()) } else { Ok(lines) }
}

/// Writes a file: the header, then a row for each line.
pub fn write(file: impl Write, lines: impl IntoIterator<Item = Line>) -> io::Result<()> {
    let mut writer = Writer::new(file)?;
    lines.into_iter().try_for_each(|line| writer.write(&line))?;
    writer.flush()
}

/// Writes a file line by line.
pub struct Writer<W: Write> {
    writer: csv::Writer<W>,
    field: String,
}

impl<W: Write> Writer<W> {
    /// Begins with the header.
    pub fn new(file: W) -> io::Result<Self> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(REQUIRED.iter().chain(&OPTIONAL))?;
        Ok(Self { writer, field: String::new() })
    }

    /// Writes the row of a line.
    pub fn write(&mut self, line: &Line) -> io::Result<()> {
        let status = line.status.as_ref();
        let addresses = line.addresses.as_deref();
        self.field(Some(line.phone_number))?;
        self.field(Some(line.home))?;
        self.field(status.map(|status| status.serving))?;
        self.field(status.map(|status| match (status.data, status.sms) {
            (true, true) => "DATA|SMS",
            (true, false) => "DATA",
            (false, true) => "SMS",
            (false, false) => "",
        }))?;
        self.field(status.map(|status| status.serving_confirmed_at))?;
        let reachability = status.filter(|status| status.reachability_confirmed_at != status.serving_confirmed_at);
        self.field(reachability.map(|status| status.reachability_confirmed_at))?;
        self.field(addresses.and_then(|addresses| addresses.public_ipv4))?;
        let ports = addresses.and_then(|addresses| addresses.public_ports);
        self.field(ports.map(|(first, last)| format!("{first}-{last}")))?;
        self.field(addresses.and_then(|addresses| addresses.private_ipv4))?;
        let prefix = addresses.and_then(|addresses| addresses.ipv6_prefix);
        self.field(prefix.map(|prefix| format!("{}/64", std::net::Ipv6Addr::from_bits(u128::from(prefix) << 64))))?;
        self.field(status.and_then(|status| status.technology))?;
        let technology = status.filter(|status| status.technology_confirmed_at != status.serving_confirmed_at);
        self.field(technology.map(|status| status.technology_confirmed_at))?;
        self.field(addresses.and_then(|addresses| addresses.network_access_identifier.as_ref()))?;
        self.field((!line.eligible).then_some("no"))?;
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    /// Hands everything over that was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn field(&mut self, value: Option<impl fmt::Display>) -> io::Result<()> {
        self.field.clear();
        if let Some(value) = value {
            fmt::write(&mut self.field, format_args!("{value}")).map_err(io::Error::other)?;
        }
        Ok(self.writer.write_field(&self.field)?)
    }
}

/// The faults that were found so far.
#[derive(Default)]
struct Faults {
    told: Vec<Fault>,
    total: usize,
}

impl Faults {
    fn add(&mut self, line: u64, message: String) {
        self.total += 1;
        if self.told.len() < TOLD {
            self.told.push(Fault { line, message });
        }
    }

    fn into_error(mut self) -> ReadError {
        self.told.sort_by_key(|fault| fault.line);
        ReadError::Faults { faults: self.told, total: self.total }
    }
}

/// Where each column stands in the file; its name is `REQUIRED` or `OPTIONAL` at the same index.
struct Columns {
    required: [usize; REQUIRED.len()],
    optional: [Option<usize>; OPTIONAL.len()],
    count: usize,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Self, String> {
        // Spreadsheets begin a file in UTF-8 with a byte order mark.
        let names: Vec<&[u8]> =
            header.iter().map(|name| name.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(name)).collect();
        let place = |column: &str| names.iter().position(|name| *name == column.as_bytes());
        for (index, name) in names.iter().enumerate() {
            let known = REQUIRED.iter().chain(&OPTIONAL).any(|column| column.as_bytes() == *name);
            if !known || names[..index].contains(name) {
                return Err(format!(
                    "column {}: an unknown name, or one that is there already; the header is {}, and may have {}",
                    index + 1,
                    REQUIRED.join(","),
                    OPTIONAL.join(","),
                ));
            }
        }
        let mut required = [0; REQUIRED.len()];
        for (index, column) in REQUIRED.iter().enumerate() {
            required[index] = place(column)
                .ok_or_else(|| format!("the column {column} is missing; the header is {}", REQUIRED.join(",")))?;
        }
        Ok(Self { required, optional: OPTIONAL.map(place), count: names.len() })
    }

    fn line(&self, record: &csv::ByteRecord, now: Timestamp) -> Result<NewLine, String> {
        if record.len() != self.count {
            return Err(format!("{} fields instead of the header's {}", record.len(), self.count));
        }
        let field = |place: usize| str::from_utf8(record.get(place).unwrap_or_default()).unwrap_or("\u{fffd}");
        let [phone_number, home, serving, reachable, last_seen] = self.required.map(field);
        let [
            reachability_last_seen,
            public_ipv4,
            public_ports,
            private_ipv4,
            ipv6_prefix,
            technology,
            technology_last_seen,
            network_access_identifier,
            eligible,
        ] = self.optional.map(|place| place.map_or("", field));
        let status = if serving.is_empty() {
            never_seen([
                ("reachable", reachable),
                ("last_seen", last_seen),
                ("reachability_last_seen", reachability_last_seen),
                ("technology", technology),
                ("technology_last_seen", technology_last_seen),
            ])?
        } else {
            let (data, sms) = reachabilities(reachable)?;
            let confirmed_at = optional("last_seen", last_seen, timestamp)?.unwrap_or(now);
            Some(Status {
                serving: parse("serving_plmn", serving, plmn)?,
                serving_confirmed_at: confirmed_at,
                data,
                sms,
                reachability_confirmed_at: optional("reachability_last_seen", reachability_last_seen, timestamp)?
                    .unwrap_or(confirmed_at),
                technology: optional("technology", technology, generation)?,
                technology_confirmed_at: optional("technology_last_seen", technology_last_seen, timestamp)?
                    .unwrap_or(confirmed_at),
            })
        };
        let addresses = Addresses {
            public_ipv4: optional("public_ipv4", public_ipv4, ipv4)?,
            public_ports: optional("public_ports", public_ports, ports)?,
            private_ipv4: optional("private_ipv4", private_ipv4, ipv4)?,
            ipv6_prefix: optional("ipv6_prefix", ipv6_prefix, prefix)?,
            network_access_identifier: optional("network_access_identifier", network_access_identifier, |text| {
                text.parse().map_err(|_| "not of the form local@domain")
            })?,
        };
        if addresses.public_ports.is_some() && addresses.public_ipv4.is_none() {
            return Err("public_ports: ports of no address; fill in public_ipv4".into());
        }
        Ok(NewLine {
            phone_number: parse("phone_number", phone_number, |text| text.parse().ok().ok_or(PHONE_NUMBER))?,
            home: parse("home_plmn", home, plmn)?,
            status,
            addresses: (addresses != Addresses::default()).then(|| Box::new(addresses)),
            eligible: optional("eligible", eligible, yes_or_no)?.unwrap_or(true),
        })
    }
}

const PHONE_NUMBER: &str = "not a number in E.164 format: '+' and 5 to 15 digits, the first not 0";

/// A value of a column; what is wrong is said with the column's name, and without the value.
fn parse<T>(column: &str, text: &str, parse: impl FnOnce(&str) -> Result<T, &'static str>) -> Result<T, String> {
    parse(text).map_err(|reason| format!("{column}: {reason}"))
}

fn optional<T>(
    column: &str,
    text: &str,
    parser: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(column, text, parser).map(Some) }
}

fn never_seen(fields: [(&str, &str); 5]) -> Result<Option<Status>, String> {
    match fields.iter().find(|(_, text)| !text.is_empty()) {
        None => Ok(None),
        Some((column, _)) => Err(format!(
            "{column}: a line without serving_plmn was never seen; fill in serving_plmn, or leave {column} empty"
        )),
    }
}

fn reachabilities(text: &str) -> Result<(bool, bool), String> {
    match text {
        "" => Ok((false, false)),
        "DATA" => Ok((true, false)),
        "SMS" => Ok((false, true)),
        "DATA|SMS" | "SMS|DATA" => Ok((true, true)),
        _ => Err("reachable: neither DATA, SMS, DATA|SMS nor empty".into()),
    }
}

fn plmn(text: &str) -> Result<Plmn, &'static str> {
    text.parse().map_err(|_| "not a network: 3 digits of its country and 2 or 3 of its own, such as 26201")
}

fn generation(text: &str) -> Result<Technology, &'static str> {
    text.parse().map_err(|_| "not an access technology: 2G, 3G, 4G, 5G, or empty when the network cannot tell")
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("neither yes, no nor empty"),
    }
}

fn timestamp(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "not a time in RFC 3339 format, such as 2024-07-22T12:23:21.112Z")
}

fn ipv4(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.parse().map_err(|_| "not an IPv4 address, such as 203.0.113.7")
}

fn ports(text: &str) -> Result<(u16, u16), &'static str> {
    let range = || {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some((first, last))
    };
    range().ok_or("not a range of ports, such as 20000-20511")
}

fn prefix(text: &str) -> Result<u64, &'static str> {
    let prefix = || {
        let address: std::net::Ipv6Addr = text.strip_suffix("/64")?.parse().ok()?;
        (address.to_bits() & u128::from(u64::MAX) == 0).then(|| Addresses::prefix_of(address))
    };
    prefix().ok_or("not a /64 prefix, such as 2001:db8:1:2::/64")
}

fn unreadable(cause: csv::Error) -> ReadError {
    ReadError::Unreadable(cause.into())
}

#[cfg(test)]
mod tests {
    use attache_core::{LineId, SubjectKey};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn faults(file: &str) -> (Vec<Fault>, usize) {
        match read(file.as_bytes(), NOW) {
            Err(ReadError::Faults { faults, total }) => (faults, total),
            other => panic!("{other:?}"),
        }
    }

    /// The rows, below the header of the required columns.
    fn rows(rows: &str) -> String {
        format!("{}\n{rows}", REQUIRED.join(","))
    }

    fn new(line: &Line) -> NewLine {
        let Line { phone_number, home, status, addresses, eligible, .. } = line.clone();
        NewLine { phone_number, home, status, addresses, eligible }
    }

    #[test]
    fn a_row_is_a_line() {
        let file = rows(
            "+33699901032,208-01,26201,DATA|SMS,2023-07-03T14:27:08.312+02:00\n+33699901033,20801,20801,,\n+33699901034,20801,,,\n",
        );
        let lines = read(file.as_bytes(), NOW).unwrap();
        let status = |index: usize| lines[index].status;
        let seen: Timestamp = "2023-07-03T12:27:08.312Z".parse().unwrap();
        assert_eq!(
            status(0).unwrap(),
            Status {
                serving: "26201".parse().unwrap(),
                serving_confirmed_at: seen,
                data: true,
                sms: true,
                reachability_confirmed_at: seen,
                technology: None,
                technology_confirmed_at: seen,
            }
        );
        assert_eq!((status(1).unwrap().data, status(1).unwrap().serving_confirmed_at), (false, NOW));
        assert_eq!(status(2), None);
        assert_eq!(lines[0].home, "20801".parse().unwrap());
    }

    #[test]
    fn what_was_written_is_read_as_the_same() {
        let status = Status {
            serving: "310001".parse().unwrap(),
            serving_confirmed_at: Timestamp::from_unix_nanoseconds(i64::MAX),
            data: false,
            sms: true,
            reachability_confirmed_at: Timestamp::from_unix_nanoseconds(i64::MIN),
            technology: Some(Technology::Fifth),
            technology_confirmed_at: Timestamp::from_unix_nanoseconds(0),
        };
        let line = |number: &str, status, addresses: Addresses| Line {
            id: LineId::from_bytes([1; 16]),
            phone_number: number.parse().unwrap(),
            home: "00101".parse().unwrap(),
            status,
            addresses: (addresses != Addresses::default()).then(|| Box::new(addresses)),
            eligible: status.is_some(),
            subject_key: SubjectKey::from_bytes([2; 8]),
        };
        let all = Addresses {
            public_ipv4: Some([203, 0, 113, 7].into()),
            public_ports: Some((0, u16::MAX)),
            private_ipv4: Some([10, 0, 0, 1].into()),
            ipv6_prefix: Some(u64::MAX),
            network_access_identifier: "123456789@domain.com".parse().ok(),
        };
        let lines = vec![
            line("+12345", None, Addresses::default()),
            line("+123456", Some(status), all.clone()),
            line(
                "+1234567",
                Some(Status { data: true, ..status }),
                Addresses { ipv6_prefix: Some(1 << 32), ..Addresses::default() },
            ),
            line(
                "+12345678",
                Some(Status { sms: false, technology: None, ..status }),
                Addresses { public_ports: None, ..all },
            ),
        ];
        let mut file = Vec::new();
        write(&mut file, lines.clone()).unwrap();
        assert_eq!(read(&file[..], NOW).unwrap(), lines.iter().map(new).collect::<Vec<_>>());
    }

    #[test]
    fn columns_go_by_name_and_files_may_come_from_a_spreadsheet() {
        let file = "\u{feff}last_seen,reachable,serving_plmn,ipv6_prefix,home_plmn,phone_number\r\n\
                    ,\"DATA\",20801,2001:db8:1:2::/64,20801,\"+33699901032\"\r\n";
        let lines = read(file.as_bytes(), NOW).unwrap();
        assert_eq!(lines[0].phone_number.to_string(), "+33699901032");
        assert_eq!(lines[0].addresses.as_ref().unwrap().ipv6_prefix, Some(0x2001_0db8_0001_0002));
    }

    #[test]
    fn a_line_is_eligible_unless_the_file_says_no() {
        for (word, eligible) in [("", true), ("yes", true), ("no", false)] {
            let file = format!("{},eligible\n+33699901032,20801,,,,{word}\n", REQUIRED.join(","));
            assert_eq!(read(file.as_bytes(), NOW).unwrap()[0].eligible, eligible, "{word}");
        }
        let file = format!("{},eligible\n+33699901032,20801,,,,maybe\n", REQUIRED.join(","));
        assert!(faults(&file).0[0].message.starts_with("eligible: neither yes"));
        assert!(read(rows("+33699901032,20801,,,\n").as_bytes(), NOW).unwrap()[0].eligible);
    }

    #[test]
    fn each_fault_is_told_with_its_line_and_without_the_number() {
        let cases = [
            ("33699901032,20801,,,", "phone_number: not a number in E.164 format"),
            ("+33699901032,2080,,,", "home_plmn: not a network"),
            ("+33699901032,20801,x,,", "serving_plmn: not a network"),
            ("+33699901032,20801,20801,VOICE,", "reachable: neither DATA, SMS"),
            ("+33699901032,20801,20801,,yesterday", "last_seen: not a time"),
            ("+33699901032,20801,,DATA,", "reachable: a line without serving_plmn was never seen"),
            ("+33699901032,20801,,,2024-07-22T12:23:21Z", "last_seen: a line without serving_plmn was never seen"),
            ("+33699901032,20801,,", "4 fields instead of the header's 5"),
            ("+33699901032,20801,,,,", "6 fields instead of the header's 5"),
        ];
        for (row, message) in cases {
            let (faults, total) = faults(&rows(&format!("+33699901000,20801,,,\n{row}\n")));
            assert_eq!((faults.len(), total, faults[0].line), (1, 1, 3), "{row}: {faults:?}");
            assert!(faults[0].message.starts_with(message), "{row}: {faults:?}");
            assert!(!faults[0].message.contains("3699901032"), "{row}");
        }
    }

    #[test]
    fn addresses_are_checked_as_well() {
        let columns = [&OPTIONAL[1..5], &["network_access_identifier"]].concat();
        let header = format!("{},{}\n", REQUIRED.join(","), columns.join(","));
        let cases = [
            ("203.0.113.256,,,,", "public_ipv4: not an IPv4 address"),
            ("203.0.113.7,2-1,,,", "public_ports: not a range"),
            (",1-2,,,", "public_ports: ports of no address"),
            (",,10.0.0,,", "private_ipv4: not an IPv4 address"),
            (",,,2001:db8::/48,", "ipv6_prefix: not a /64 prefix"),
            (",,,2001:db8::1/64,", "ipv6_prefix: not a /64 prefix"),
            (",,,,123456789", "network_access_identifier: not of the form local@domain"),
        ];
        for (fields, message) in cases {
            let (faults, _) = faults(&format!("{header}+33699901032,20801,,,,{fields}\n"));
            assert!(faults[0].message.starts_with(message), "{fields}: {faults:?}");
        }
    }

    #[test]
    fn a_technology_stands_beside_the_network_that_serves() {
        let header = format!("{},technology,technology_last_seen\n", REQUIRED.join(","));
        let lines = read(
            format!("{header}+33699901032,20801,20801,DATA,,4G,2024-07-22T12:23:21Z\n+33699901033,20801,20801,,,5G,\n")
                .as_bytes(),
            NOW,
        )
        .unwrap();
        let known = |index: usize| {
            let status: Status = lines[index].status.unwrap();
            (status.technology, status.technology_confirmed_at)
        };
        assert_eq!(known(0), (Some(Technology::Fourth), "2024-07-22T12:23:21Z".parse().unwrap()));
        assert_eq!(known(1), (Some(Technology::Fifth), NOW));
        for (row, message) in [
            ("20801,,,LTE,", "technology: not an access technology"),
            ("20801,,,4G,soon", "technology_last_seen: not a time"),
            (",,,4G,", "technology: a line without serving_plmn was never seen"),
            (",,,,2024-07-22T12:23:21Z", "technology_last_seen: a line without serving_plmn was never seen"),
        ] {
            let (faults, _) = faults(&format!("{header}+33699901032,20801,{row}\n"));
            assert!(faults[0].message.starts_with(message), "{row}: {faults:?}");
        }
    }

    #[test]
    fn a_number_that_is_there_twice_is_told_with_both_lines() {
        let (faults, total) = faults(&rows("+33699901032,20801,,,\n+33699901033,20801,,,\n+33699901032,20801,,,\n"));
        assert_eq!((total, faults[0].line), (1, 4));
        assert_eq!(faults[0].message, "phone_number: the same number as on line 2; leave one of them out");
    }

    #[test]
    fn all_faults_are_counted_and_the_first_hundred_told_in_order() {
        let bad = "+1,20801,,,\n".repeat(150);
        let (faults, total) = faults(&rows(&format!("+33699901032,20801,,,\n+33699901032,20801,,,\n{bad}")));
        assert_eq!((faults.len(), total), (100, 151));
        assert!(faults.is_sorted_by_key(|fault| fault.line));
    }

    #[test]
    fn a_header_that_cannot_be_used_says_what_is_needed() {
        for (header, message) in [
            ("home_plmn", "the column phone_number is missing; the header is phone_number,home_plmn,"),
            ("phone_number,home_plmn", "the column serving_plmn is missing"),
            ("phone,home_plmn", "column 1: an unknown name"),
            ("phone_number,phone_number", "column 2: an unknown name, or one that is there already"),
        ] {
            let (faults, _) = faults(&format!("{header}\n+33699901032,20801,,,\n"));
            assert_eq!(faults[0].line, 1, "{header}");
            assert!(faults[0].message.starts_with(message), "{header}: {faults:?}");
        }
        assert_eq!(faults("").0[0].line, 1);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_fault() {
        let mut file = rows("+33699901032,20801,").into_bytes();
        file.extend_from_slice(b"\xff\xfe,,\n");
        assert!(matches!(read(&file[..], NOW), Err(ReadError::Faults { total: 1, .. })));
    }
}
