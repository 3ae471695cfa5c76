//! A certification authority of the tests' own, which nobody trusts who is not told to.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tempfile::TempDir;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let directory = tempfile::tempdir().unwrap();
        // One of the same name would be the same authority with a wrong signature.
        params.distinguished_name.push(DnType::CommonName, directory.path().to_str().unwrap());
        fs::write(directory.path().join("authority.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), directory }
    }

    /// The one that the sandbox on a data directory trusts.
    pub(crate) fn of_sandbox(data_dir: &Path) -> Self {
        let key = KeyPair::from_pem(&fs::read_to_string(data_dir.join("sandbox-ca.key")).unwrap()).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "an Attache sandbox, for sinks on this machine");
        Self { issuer: Issuer::new(params, key), directory: tempfile::tempdir().unwrap() }
    }

    /// The file by which it is trusted.
    pub(crate) fn file(&self) -> String {
        self.directory.path().join("authority.pem").to_str().unwrap().to_owned()
    }

    /// What a server speaks TLS with that is of this name.
    pub(crate) fn server(&self, host: &str) -> Arc<ServerConfig> {
        self.server_of(&[host])
    }

    /// The same, of several names.
    pub(crate) fn server_of(&self, hosts: &[&str]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()));
        Arc::new(config.unwrap())
    }
}
