//! The clients in memory: a snapshot that is read without a lock and swapped whole when a client
//! comes or goes, after the store has it. Beside each stands what it may still ask.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use attache_core::{Client, ClientId, Clients, Problem, PublisherName, StoreError, Timestamp};

use crate::{limit::Limiter, verification_key::VerificationKey};

/// A registered client.
#[derive(Clone)]
struct Registered {
    client: Arc<Client>,
    /// What it may still ask; `None` where its plan limits nothing.
    limiter: Option<Arc<Limiter>>,
    /// The keys that it has registered, ready to verify with.
    keys: Arc<[VerificationKey]>,
}

impl Registered {
    fn new(client: Client) -> Self {
        Self {
            limiter: Limiter::of(&client.plan).map(Arc::new),
            keys: VerificationKey::registered_by(&client),
            client: Arc::new(client),
        }
    }
}

#[derive(Default)]
struct Snapshot {
    /// Asked for every request, and by identifiers that are drawn here: it needs no guarded hash.
    by_id: hashbrown::HashMap<ClientId, Registered>,
    /// By publisher, then by the name that the client has there.
    by_name: HashMap<PublisherName, HashMap<String, Arc<Client>>>,
}

impl Snapshot {
    fn of(clients: impl IntoIterator<Item = Registered>) -> Self {
        let mut snapshot = Self::default();
        for registered in clients {
            let client = &registered.client;
            snapshot
                .by_name
                .entry(client.publisher.clone())
                .or_default()
                .insert(client.client_id.clone(), Arc::clone(client));
            snapshot.by_id.insert(client.id, registered);
        }
        snapshot
    }
}

/// All registered clients.
pub(crate) struct ClientRegistry {
    store: Arc<dyn Clients>,
    snapshot: ArcSwap<Snapshot>,
    /// Changes follow one another, so that none is lost from the snapshot.
    changing: tokio::sync::Mutex<()>,
}

impl ClientRegistry {
    /// Reads them from their store.
    pub(crate) fn load(store: Arc<dyn Clients>) -> Result<Self, StoreError> {
        let snapshot = Snapshot::of(store.load()?.into_iter().map(Registered::new));
        Ok(Self { store, snapshot: ArcSwap::from_pointee(snapshot), changing: tokio::sync::Mutex::new(()) })
    }

    /// What a client may still ask; `None` where its plan limits nothing.
    ///
    /// # Errors
    /// [`Problem::CredentialsInvalid`] when it is not registered any more.
    pub(crate) fn limiter(&self, id: ClientId) -> Result<Option<Arc<Limiter>>, Problem> {
        let snapshot = self.snapshot.load();
        snapshot.by_id.get(&id).map(|registered| registered.limiter.clone()).ok_or(Problem::CredentialsInvalid)
    }

    /// The keys that a client has registered; none once it is gone.
    pub(crate) fn verification_keys(&self, id: ClientId) -> Arc<[VerificationKey]> {
        let snapshot = self.snapshot.load();
        snapshot.by_id.get(&id).map_or_else(|| Arc::from([]), |registered| Arc::clone(&registered.keys))
    }

    /// A client by its record.
    pub(crate) fn get(&self, id: ClientId) -> Option<Arc<Client>> {
        self.snapshot.load().by_id.get(&id).map(|registered| Arc::clone(&registered.client))
    }

    /// A client by the name that it has at a publisher.
    pub(crate) fn find(&self, publisher: &PublisherName, client_id: &str) -> Option<Arc<Client>> {
        self.snapshot.load().by_name.get(publisher)?.get(client_id).cloned()
    }

    /// All clients, by publisher and name.
    pub(crate) fn list(&self) -> Vec<Arc<Client>> {
        let mut clients: Vec<_> = self.snapshot.load().by_id.values().map(|it| Arc::clone(&it.client)).collect();
        clients.sort_by(|a, b| (&a.publisher, &a.client_id).cmp(&(&b.publisher, &b.client_id)));
        clients
    }

    /// Whether a client of a publisher has registered this web origin.
    pub(crate) fn knows_origin(&self, publisher: &PublisherName, origin: &str) -> bool {
        let snapshot = self.snapshot.load();
        let Some(clients) = snapshot.by_name.get(publisher) else { return false };
        clients.values().any(|client| client.origins.iter().any(|registered| registered == origin))
    }

    /// Registers a client.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when its publisher has one of that name.
    pub(crate) async fn add(&self, client: Client) -> Result<Arc<Client>, StoreError> {
        let _changing = self.changing.lock().await;
        if self.find(&client.publisher, &client.client_id).is_some() {
            return Err(StoreError::Exists);
        }
        self.store.add(client.clone()).await?;
        let registered = Registered::new(client);
        let client = Arc::clone(&registered.client);
        let clients = self.snapshot.load().by_id.values().cloned().chain([registered]).collect::<Vec<_>>();
        self.snapshot.store(Arc::new(Snapshot::of(clients)));
        Ok(client)
    }

    /// Puts a client in the place of the revision before, as it was seen. What it has asked already counts
    /// on, unless its plan is another.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it was changed or removed since.
    pub(crate) async fn replace(&self, client: Client) -> Result<Arc<Client>, StoreError> {
        let _changing = self.changing.lock().await;
        let before = self.snapshot.load().by_id.get(&client.id).cloned().ok_or(StoreError::Changed)?;
        if before.client.revision.saturating_add(1) != client.revision {
            return Err(StoreError::Changed);
        }
        self.store.replace(client.clone()).await?;
        let mut registered = Registered::new(client);
        if before.client.plan == registered.client.plan {
            registered.limiter = before.limiter;
        }
        let client = Arc::clone(&registered.client);
        let snapshot = self.snapshot.load();
        let others = snapshot.by_id.values().filter(|other| other.client.id != client.id).cloned();
        self.snapshot.store(Arc::new(Snapshot::of(others.chain([registered]).collect::<Vec<_>>())));
        Ok(client)
    }

    /// Removes a client at `now`; its tokens stop and its subscriptions end at once. Returns it with how many
    /// those were; `None` when there is none of that name.
    pub(crate) async fn remove(
        &self,
        publisher: &PublisherName,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<(Arc<Client>, usize)>, StoreError> {
        let _changing = self.changing.lock().await;
        let Some(client) = self.find(publisher, name) else { return Ok(None) };
        let ended = self.store.remove(client.id, now).await?;
        let clients = self
            .snapshot
            .load()
            .by_id
            .values()
            .filter(|other| other.client.id != client.id)
            .cloned()
            .collect::<Vec<_>>();
        self.snapshot.store(Arc::new(Snapshot::of(clients)));
        Ok(Some((client, ended)))
    }
}

/// A client of CAMARA with nothing but a name.
#[cfg(test)]
pub(crate) fn any_client(client_id: &str) -> Client {
    use attache_core::{ClientKeys, Plan, SigningAlgorithm};

    Client {
        id: ClientId::from_bytes([1; 16]),
        revision: 1,
        publisher: PublisherName::new_static("camara"),
        client_id: client_id.to_owned(),
        name: None,
        organisation: None,
        secrets: Vec::new(),
        keys: ClientKeys::Registered(Vec::new()),
        authentication_methods: Vec::new(),
        redirect_uris: Vec::new(),
        origins: Vec::new(),
        grants: Vec::new(),
        scopes: Vec::new(),
        purposes: Vec::new(),
        plan: Plan::default(),
        dpop_required: false,
        signed_requests_required: false,
        id_token_algorithm: SigningAlgorithm::default(),
        sector: None,
        registered_at: Timestamp::from_unix_seconds(0),
    }
}
