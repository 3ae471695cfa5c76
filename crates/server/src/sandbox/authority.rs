//! The sandbox's own certification authority, for sinks on this machine: it can vouch for nobody else.

use std::{
    fs, io,
    net::Ipv6Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use attache_core::{Clock as _, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};

use crate::{clock::SystemClock, keyring};

/// Where the key of the authority is, in the data directory.
const KEY_FILE: &str = "sandbox-ca.key";

/// How long a certificate lives: longer than anybody listens, and not for ever.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// What two clocks of one machine may differ by, with some to spare.
const LEEWAY: Duration = Duration::from_mins(5);

/// A certificate for a sink on this machine, with its key.
#[derive(Debug)]
pub struct SinkCertificate {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: String,
}

/// The certificate of the sandbox's own certification authority, as a file in the data directory. The authority
/// is made the first time. Only its key has to be kept: all that it says of itself is always the same.
pub(crate) fn certification_authority(data_dir: &Path) -> io::Result<PathBuf> {
    let new = || Ok(KeyPair::generate().map_err(io::Error::other)?.serialize_pem());
    let key = keyring::read_or_create(&data_dir.join(KEY_FILE), new)?;
    let key = KeyPair::from_pem(&key).map_err(io::Error::other)?;
    let certificate = itself().self_signed(&key).map_err(io::Error::other)?;
    let path = data_dir.join("sandbox-ca.pem");
    keyring::replace(&path, &certificate.pem())?;
    Ok(path)
}

/// Issues a certificate that the sandbox on this data directory trusts, for a sink at `localhost`.
///
/// # Errors
/// When the key of the sandbox's authority cannot be read, or is none. [`io::ErrorKind::NotFound`]: there was
/// never a sandbox.
pub fn issue_sink_certificate(data_dir: &Path) -> io::Result<SinkCertificate> {
    let key = fs::read_to_string(data_dir.join(KEY_FILE))?;
    let key = KeyPair::from_pem(&key).map_err(io::Error::other)?;
    issue(&key, SystemClock.now()).map_err(io::Error::other)
}

fn issue(authority: &KeyPair, now: Timestamp) -> Result<SinkCertificate, rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named("a sink of an Attache sandbox");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = |at: Timestamp| Duration::from_secs(at.unix_seconds().try_into().unwrap_or(0));
    params.not_before = epoch + since_epoch(now.minus(LEEWAY));
    params.not_after = epoch + since_epoch(now.plus(LIFETIME));
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &Issuer::from_params(&itself(), authority))?;
    Ok(SinkCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// What the authority says of itself: that it vouches for this machine only (name constraints, RFC 5280 section
/// 4.2.1.10).
fn itself() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("an Attache sandbox, for sinks on this machine");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 1], 32)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}
