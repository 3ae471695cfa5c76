//! Starting and stopping: the data directory, the stores, the listeners and the background tasks.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use attache_core::{
    Authorizations, Clients, Clock, Consents, Grants, Health, Lines, Network, OperatorTokens, Policy, SealedKeys,
    StoreError, Subjects, Subscriptions, UsedTokens, WebhookSecrets,
};
use attache_network::Simulator;
use attache_store::{AuditKey, FileAuditLog, OpenError, SqliteStore, Verification, VerifyError};
use axum::Router;
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper_util::rt::TokioTimer;
use secrecy::SecretString;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accept::{Connections, Prompt},
    app::App,
    authorization::{GrantBook, Interactions, PublishedKeys},
    clients::ClientRegistry,
    clock::SystemClock,
    consent::ConsentBook,
    delivery::{self, Courier, Delivering, Signer, Witness},
    entropy::{self, NoEntropy},
    keyring::{self, Keyring, WrongSecretsKey},
    outbound::AuthoritiesError,
    revocations::Revocations,
    routes,
    sandbox::{self, Entitlement, Summary},
    settings::{Key32, Mode, Settings, TlsFiles},
    signing_keys::{KeyError, SigningKeys},
    telemetry::{Metrics, RequestLog},
    throttle::Throttle,
    token::Tokens,
    used_once::UsedOnce,
};

/// The longest request head that is read, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// The most fields of a request's head. Room for all of them is made for every request, so it is no
/// more than any client needs.
const FIELD_LIMIT: usize = 256;

/// The name under which the database remembers the segment of the audit log that the last start began.
const AUDIT_SEGMENT: &str = "audit_segment";

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is told by its message")]
pub enum StartError {
    #[error("the data directory {} cannot be used", path.display())]
    DataDirectory {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{what} is missing; set it, or run a sandbox")]
    Missing { what: &'static str },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the signing keys cannot be used")]
    Keys(#[from] KeyError),
    #[error(transparent)]
    SecretsKey(#[from] WrongSecretsKey),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(
        "cannot listen on {address}; is another program there? Choose another address with --listen, such as --listen 127.0.0.1:0 for a free port"
    )]
    Listen {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    #[error("the certificate {} or its key {} cannot be used", files.certificate.display(), files.key.display())]
    Tls {
        files: TlsFiles,
        #[source]
        cause: io::Error,
    },
}

/// A running server.
pub struct Server {
    app: Arc<App>,
    addresses: Vec<SocketAddr>,
    admin_address: Option<SocketAddr>,
    handles: Vec<Handle<SocketAddr>>,
    listeners: JoinSet<io::Result<()>>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Starts a server: opens or makes what it keeps in its data directory, and listens.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let data_dir = settings.data_dir.clone();
        let in_data_dir = |cause| StartError::DataDirectory { path: data_dir.clone(), cause };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&data_dir).map_err(in_data_dir)?;
        // The store takes the data directory for this process; nothing else is touched before.
        let store = Arc::new(SqliteStore::open(data_dir.join("attache.db"), settings.mode.as_str())?);
        let keyring = Arc::new(Keyring::new(&secrets_key(&settings)?, settings.audit_key.as_ref()));
        let admin_token = admin_token(&settings)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);

        if settings.mode == Mode::Sandbox && store.is_new()? {
            let now = clock.now();
            store.seed(sandbox::clients(&keyring, now)?, sandbox::lines(now)?).await?;
        }
        let keys = SigningKeys::load(
            Arc::clone(&store) as Arc<dyn SealedKeys>,
            Arc::clone(&keyring),
            clock.as_ref(),
            settings.key_notice,
            settings.token_lifetime,
        )
        .await?;
        let simulator = Arc::new(Simulator::load(
            Arc::clone(&store) as Arc<dyn Lines>,
            Arc::clone(&clock),
            settings.network_timeout,
        )?);
        if settings.mode == Mode::Sandbox {
            simulator.trouble(sandbox::troubled_lines());
        }
        let subjects = Arc::clone(&simulator) as Arc<dyn Subjects>;
        let known = store.value(AUDIT_SEGMENT)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let audit = FileAuditLog::open(&data_dir.join("audit"), AuditKey::new(keyring.audit()), subjects, known);
        let audit = audit.map_err(in_data_dir)?;
        store.put_value(AUDIT_SEGMENT, audit.segment().to_be_bytes().to_vec()).await?;

        let published_keys = PublishedKeys::new(settings.jwks.clone())?;
        let signer = Signer::load(Arc::clone(&store) as Arc<dyn WebhookSecrets>, Arc::clone(&keyring))?;
        let mut sinks = settings.sinks.clone();
        if settings.mode == Mode::Sandbox {
            sinks.authorities.push(sandbox::certification_authority(&data_dir).map_err(in_data_dir)?);
        }
        let courier = Courier::new(sinks, settings.sink_timeout)?;

        let sockets = listen(&settings)?;
        let admin_socket = settings.admin_listen.map(listen_at).transpose()?;
        let addresses = local_addresses(&sockets).map_err(in_data_dir)?;
        let admin_address = admin_socket.as_ref().map(TcpListener::local_addr).transpose().map_err(in_data_dir)?;

        let entitlement = (settings.mode == Mode::Sandbox).then(|| Arc::new(Entitlement::new(Arc::clone(&clock))));
        let authorizations = Arc::clone(&store) as Arc<dyn Authorizations>;
        let revocations = Arc::new(Revocations::load(Arc::clone(&authorizations))?);
        let base_url = base_url(&settings, &addresses);
        let app = Arc::new(App {
            own_host: base_url.split_once("://").map_or_else(String::new, |(_, host)| host.to_owned()),
            base_url,
            clients: ClientRegistry::load(Arc::clone(&store) as Arc<dyn Clients>)?,
            grants: GrantBook::load(
                Arc::clone(&store) as Arc<dyn Grants>,
                settings.backchannel_interval,
                settings.token_lifetime,
            )?,
            published_keys,
            interactions: Interactions::default(),
            answers: sandbox::Answers::default(),
            consents: ConsentBook::load(Arc::clone(&store) as Arc<dyn Consents>)?,
            policy: Policy::new(settings.legal_bases.clone()),
            throttle: Throttle::usual().ok_or(StartError::Missing { what: "the throttle" })?,
            used_once: UsedOnce::load(Arc::clone(&store) as Arc<dyn UsedTokens>)?,
            tokens: Tokens::new(keys, Arc::clone(&keyring), Arc::clone(&revocations), settings.token_lifetime),
            authorizations,
            revocations,
            keyring,
            network: Arc::clone(&simulator) as Arc<dyn Network>,
            simulator,
            operator_tokens: entitlement.clone().map(|entitlement| entitlement as Arc<dyn OperatorTokens>),
            entitlement,
            database: Arc::clone(&store) as Arc<dyn Health>,
            subscriptions: Arc::clone(&store) as Arc<dyn Subscriptions>,
            deliveries: store,
            courier: Arc::new(courier),
            signer: Arc::new(signer),
            audit: Arc::new(audit),
            metrics: Metrics::new(),
            request_log: RequestLog::new(settings.request_log),
            admin_token,
            clock,
            settings,
        });

        let mut server = Self {
            addresses,
            admin_address,
            handles: Vec::new(),
            listeners: JoinSet::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            app,
        };
        server.serve(sockets, admin_socket).await?;
        server.run_tasks();
        server.retain_audit();
        server.announce().map_err(in_data_dir)?;
        server.warn_of_deviations();
        Ok(server)
    }

    /// Says what is served otherwise than the contracts have it, where that was asked for.
    fn warn_of_deviations(&self) {
        if self.app.settings.sinks.allow_http {
            tracing::warn!(
                "events are sent over plain HTTP as well (allow_http_sinks), which the contracts do not allow"
            );
        }
    }

    /// The addresses that it listens on for applications.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The address that clients know it by.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.app.base_url
    }

    /// What a sandbox offers; `None` in production.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        self.app.is_sandbox().then(|| sandbox::summary(&self.app))
    }

    /// Waits until a listener fails, which none should.
    pub async fn failed(&mut self) -> io::Error {
        match self.listeners.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => io::Error::other(error),
            Some(Ok(Ok(()))) | None => io::Error::other("a listener ended by itself"),
        }
    }

    /// Takes no more requests, lets those under way end within the grace period, and stops.
    pub async fn shutdown_and_wait(mut self) {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(self.app.settings.shutdown_grace));
        }
        while self.listeners.join_next().await.is_some() {}
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.app.request_log.flush();
        // If it stays, the command line finds that nobody answers there.
        let _ = fs::remove_file(self.app.settings.data_dir.join("server.json"));
    }

    async fn serve(&mut self, sockets: Vec<TcpListener>, admin: Option<TcpListener>) -> Result<(), StartError> {
        // What has expired while it was down is told nothing that happens from now on.
        delivery::end_due(&self.delivering()).await;
        let tls = match &self.app.settings.tls {
            Some(files) => Some(read_certificate(files).await?),
            None => None,
        };
        let public = routes::public(&self.app);
        let public = match &admin {
            Some(_) => public,
            None => public.merge(routes::operator(&self.app)),
        };
        for socket in sockets {
            self.accept(socket, public.clone(), tls.as_ref())?;
        }
        if let Some(socket) = admin {
            // No certificate names a loopback address, and nothing can listen in there.
            let tls = tls.as_ref().filter(|_| self.admin_address.is_some_and(|address| !address.ip().is_loopback()));
            self.accept(socket, routes::operator_alone(&self.app), tls)?;
        }
        if let (Some(config), Some(files)) = (tls, self.app.settings.tls.clone()) {
            self.tasks.spawn(reload_certificate(config, files, self.stopping.clone()));
        }
        Ok(())
    }

    fn accept(&mut self, socket: TcpListener, router: Router, tls: Option<&RustlsConfig>) -> Result<(), StartError> {
        let address = socket.local_addr().unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)));
        let failed = |cause| StartError::Listen { address, cause };
        let handle = Handle::new();
        let head_timeout = self.app.settings.head_timeout;
        let mut server = axum_server::from_tcp(socket).map_err(failed)?.handle(handle.clone());
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(HEAD_LIMIT)
            .max_headers(FIELD_LIMIT)
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        match tls {
            None => {
                let settings = &self.app.settings;
                let connections = match settings.mode {
                    Mode::Production => Connections::from_networks(&settings.trusted_proxies),
                    Mode::Sandbox => Connections::from_anywhere(),
                };
                self.listeners.spawn(server.acceptor(Prompt::new(connections, head_timeout)).serve(service))
            }
            Some(config) => {
                let acceptor = RustlsAcceptor::new(config.clone()).acceptor(Connections::from_anywhere());
                self.listeners.spawn(server.acceptor(Prompt::new(acceptor, head_timeout)).serve(service))
            }
        };
        self.handles.push(handle);
        Ok(())
    }

    fn delivering(&self) -> Delivering {
        Delivering {
            deliveries: Arc::clone(&self.app.deliveries),
            subscriptions: Arc::clone(&self.app.subscriptions),
            courier: Arc::clone(&self.app.courier),
            signer: Arc::clone(&self.app.signer),
            clock: Arc::clone(&self.app.clock),
            keyring: Arc::clone(&self.app.keyring),
            metrics: self.app.metrics.delivery.clone(),
            witness: Arc::clone(&self.app) as Arc<dyn Witness>,
            base_url: self.app.base_url.clone(),
        }
    }

    /// Starts what runs in the background.
    fn run_tasks(&self) {
        let delivering = Arc::new(self.delivering());
        self.tasks.spawn(delivery::run(Arc::clone(&delivering), self.stopping.clone()));
        let (sweeping, stopping) = (Arc::clone(&delivering), self.stopping.clone());
        let (settled, dead) = (self.app.settings.delivery_retention, self.app.settings.dead_letter_retention);
        self.tasks.spawn(every(Duration::from_mins(30), self.stopping.clone(), move || {
            let (delivering, stopping) = (Arc::clone(&sweeping), stopping.clone());
            async move {
                // A stop does not wait for it.
                let _ = stopping.run_until_cancelled(delivery::sweep(&delivering, settled, dead)).await;
            }
        }));
        self.tasks.spawn(every(Duration::from_secs(1), self.stopping.clone(), move || {
            let delivering = Arc::clone(&delivering);
            async move { delivery::end_due(&delivering).await }
        }));
        let (app, stopping) = (Arc::clone(&self.app), self.stopping.clone());
        self.tasks.spawn(every(Duration::from_millis(50), stopping, move || {
            let app = Arc::clone(&app);
            async move { app.request_log.flush() }
        }));
        let (app, stopping) = (Arc::clone(&self.app), self.stopping.clone());
        self.tasks.spawn(every(Duration::from_mins(1), stopping, move || {
            let app = Arc::clone(&app);
            async move {
                if let Err(error) = app.grants.sweep(app.clock.now()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "expired grants were not forgotten");
                }
                if let Err(error) = turn_keys(&app).await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the signing keys were not turned");
                }
                if let Err(error) = app.revocations.sweep(app.clock.now()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "expired tokens were not forgotten");
                }
                if let Err(error) = app.used_once.sweep(app.clock.now()).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "used assertions were not forgotten");
                }
            }
        }));
    }

    /// Drops, once in a while, the audit records that have been kept long enough.
    fn retain_audit(&self) {
        let Some(keep) = self.app.settings.audit_retention else { return };
        let (app, stopping) = (Arc::clone(&self.app), self.stopping.clone());
        self.tasks.spawn(async move {
            loop {
                let (audit, cutoff) = (Arc::clone(&app.audit), app.clock.now().minus(keep));
                match tokio::task::spawn_blocking(move || audit.retain(cutoff))
                    .await
                    .map_err(io::Error::other)
                    .flatten()
                {
                    Ok(dropped) if dropped.segments == 0 => {}
                    Ok(dropped) => tracing::info!(
                        segments = dropped.segments,
                        records = dropped.records,
                        "audit records were dropped for their age"
                    ),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "audit records that are old enough were not dropped");
                    }
                }
                if is_stopped_within(&stopping, Duration::from_mins(10)).await {
                    return;
                }
            }
        });
    }

    /// Leaves a note of where the server can be reached, for the command line.
    fn announce(&self) -> io::Result<()> {
        let has_tls = self.app.settings.tls.is_some();
        let url = match (self.admin_address, self.addresses.first()) {
            (Some(admin), _) => address_url(admin, has_tls && !admin.ip().is_loopback()),
            // The certificate names the public address.
            (None, Some(address)) if !has_tls => address_url(*address, false),
            (None, _) => self.app.base_url.clone(),
        };
        let note = json!({ "url": url, "pid": std::process::id() });
        keyring::replace(&self.app.settings.data_dir.join("server.json"), &note.to_string())
    }
}

/// Where this machine reaches a listener.
fn address_url(mut address: SocketAddr, has_tls: bool) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    format!("{}://{address}", if has_tls { "https" } else { "http" })
}

/// The key from the settings; in a sandbox, else the one that is kept beside the data.
fn secrets_key(settings: &Settings) -> Result<Key32, StartError> {
    if let Some(key) = &settings.secrets_key {
        return Ok(key.clone());
    }
    if settings.mode == Mode::Production {
        return Err(StartError::Missing { what: "the secrets key" });
    }
    let path = settings.data_dir.join("secrets.key");
    let text = keyring::read_or_create(&path, || {
        let bytes = entropy::bytes::<32>().map_err(io::Error::other)?;
        Ok(STANDARD.encode(bytes))
    });
    text.and_then(|text| text.parse().map_err(io::Error::other))
        .map_err(|cause| StartError::DataDirectory { path, cause })
}

/// Holds the audit log of a data directory against its seals; no server needs to run on it.
///
/// # Errors
/// When the log cannot be read, or there is no key to read it with: neither given nor, as a sandbox has it,
/// in the data directory.
pub fn verify_audit(
    data_dir: &Path,
    secrets_key: Option<&Key32>,
    audit_key: Option<&Key32>,
) -> Result<Verification, VerifyAuditError> {
    let key = match (audit_key, secrets_key) {
        (Some(key), _) => AuditKey::new(key.as_bytes()),
        (None, Some(key)) => AuditKey::new(Keyring::new(key, None).audit()),
        (None, None) => {
            let text = fs::read_to_string(data_dir.join("secrets.key")).map_err(|_| VerifyAuditError::NoKey)?;
            let key: Key32 = text.trim().parse().map_err(|_| VerifyAuditError::NoKey)?;
            AuditKey::new(Keyring::new(&key, None).audit())
        }
    };
    Ok(attache_store::verify(&data_dir.join("audit"), &key)?)
}

/// Why an audit log could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyAuditError {
    /// There is no key.
    #[error("there is no key to verify it with: set ATTACHE_AUDIT_KEY to the audit_key of the server")]
    NoKey,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] VerifyError),
}

/// The operator's credential from the settings; in a sandbox, else the one that is kept beside the
/// data.
fn admin_token(settings: &Settings) -> Result<SecretString, StartError> {
    if let Some(token) = &settings.admin_token {
        return Ok(token.clone());
    }
    if settings.mode == Mode::Production {
        return Err(StartError::Missing { what: "the admin token" });
    }
    let path = settings.data_dir.join("admin-token");
    keyring::read_or_create(&path, || entropy::secret().map_err(io::Error::other))
        .map(SecretString::from)
        .map_err(|cause| StartError::DataDirectory { path, cause })
}

fn listen(settings: &Settings) -> Result<Vec<TcpListener>, StartError> {
    let mut sockets: Vec<TcpListener> = Vec::new();
    for address in &settings.listen {
        match listen_at(*address) {
            Ok(socket) => sockets.push(socket),
            // Nobody asked for IPv6, and not every machine has it.
            Err(StartError::Listen { cause, .. })
                if settings.listen_is_default
                    && address.is_ipv6()
                    && cause.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

fn listen_at(address: SocketAddr) -> Result<TcpListener, StartError> {
    let failed = |cause| StartError::Listen { address, cause };
    let socket = TcpListener::bind(address).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

fn local_addresses(sockets: &[TcpListener]) -> io::Result<Vec<SocketAddr>> {
    sockets.iter().map(TcpListener::local_addr).collect()
}

/// The address that clients know this server by.
fn base_url(settings: &Settings, addresses: &[SocketAddr]) -> String {
    if let Some(url) = &settings.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    match addresses.first() {
        Some(address) if settings.listen_is_default => format!("{scheme}://localhost:{}", address.port()),
        Some(address) => format!("{scheme}://{address}"),
        None => format!("{scheme}://localhost"),
    }
}

async fn read_certificate(files: &TlsFiles) -> Result<RustlsConfig, StartError> {
    RustlsConfig::from_pem_file(&files.certificate, &files.key)
        .await
        .map_err(|cause| StartError::Tls { files: files.clone(), cause })
}

/// Reads the certificate again when one of its files changes. One that cannot be used leaves the old
/// one in force.
async fn reload_certificate(config: RustlsConfig, files: TlsFiles, stopping: CancellationToken) {
    let modified = |files: &TlsFiles| -> [Option<SystemTime>; 2] {
        [&files.certificate, &files.key].map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
    };
    let mut known = modified(&files);
    while !is_stopped_within(&stopping, Duration::from_secs(5)).await {
        let now = modified(&files);
        if now == known {
            continue;
        }
        known = now;
        match config.reload_from_pem_file(&files.certificate, &files.key).await {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the certificate has changed, but cannot be used; the old one stays in force"
            ),
        }
    }
}

/// Publishes the next signing key when it is time, and forgets those that no token needs any more.
async fn turn_keys(app: &App) -> Result<(), KeyError> {
    let keys = app.tokens.keys();
    keys.rotate_when(app.settings.key_rotation, app.clock.as_ref()).await?;
    keys.sweep(app.clock.now()).await
}

/// Does something again and again until the server stops.
async fn every<Work: Future<Output = ()>>(pause: Duration, stopping: CancellationToken, work: impl Fn() -> Work) {
    while !is_stopped_within(&stopping, pause).await {
        work().await;
    }
}

async fn is_stopped_within(stopping: &CancellationToken, pause: Duration) -> bool {
    tokio::time::timeout(pause, stopping.cancelled()).await.is_ok()
}
