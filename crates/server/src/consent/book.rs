//! What every subject has said, in memory: the book is what is asked, and the store has it first.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use attache_core::{
    ClientId, Consent, ConsentState, Consents, LegalBasis, LineId, Purpose, Scope, StoreError, Timestamp,
};
use hashbrown::HashMap;
use tokio::sync::Mutex;

/// How many changes about different lines may be under way at once, so that one commit carries many.
const LANES: usize = 64;

/// The consents of all lines. Clones are the same book.
#[derive(Clone)]
pub(crate) struct ConsentBook(Arc<Inner>);

struct Inner {
    store: Arc<dyn Consents>,
    /// By identifiers that are drawn here: they need no guarded hash.
    lines: RwLock<HashMap<LineId, Vec<Consent>>>,
    /// Changes about one line follow one another, so that the store and the memory see them in one order.
    changing: [Mutex<()>; LANES],
}

/// What a subject has said to a request since it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// Yes, before or since.
    Yes,
    /// No.
    No,
    /// Nothing.
    None,
}

/// What makes that a client may use what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Permission {
    /// By what right: consent, if any of it needs that.
    pub(crate) basis: LegalBasis,
    /// Since when all of it is in force without a break: what was issued earlier rested on something else.
    pub(crate) since: Timestamp,
}

impl Permission {
    fn and(self, other: Self) -> Self {
        let basis = if other.basis.needs_consent() { other.basis } else { self.basis };
        Self { basis, since: self.since.max(other.since) }
    }
}

impl ConsentBook {
    /// Reads it from its store.
    pub(crate) fn load(store: Arc<dyn Consents>) -> Result<Self, StoreError> {
        let mut lines: HashMap<LineId, Vec<Consent>> = HashMap::new();
        store.load(&mut |consent| lines.entry(consent.line).or_default().push(consent))?;
        let changing = std::array::from_fn(|_| Mutex::default());
        Ok(Self(Arc::new(Inner { store, lines: RwLock::new(lines), changing })))
    }

    /// Whether a client may use all that these scopes stand for of a line, for a purpose: each of them is
    /// in force. Whatever rests on consents asks this, each time.
    pub(crate) fn permits(&self, client: ClientId, line: LineId, purpose: &Purpose, scopes: &[Scope]) -> bool {
        self.permission(client, line, purpose, scopes).is_some()
    }

    /// As [`Self::permits`], and by what right.
    pub(crate) fn basis(
        &self,
        client: ClientId,
        line: LineId,
        purpose: &Purpose,
        scopes: &[Scope],
    ) -> Option<LegalBasis> {
        self.permission(client, line, purpose, scopes).map(|permission| permission.basis)
    }

    /// As [`Self::permits`], by what right, and since when.
    pub(crate) fn permission(
        &self,
        client: ClientId,
        line: LineId,
        purpose: &Purpose,
        scopes: &[Scope],
    ) -> Option<Permission> {
        let lines = self.0.lines();
        let said = lines.get(&line)?;
        let mut all: Option<Permission> = None;
        for scope in scopes {
            let consent = is_about(said, client, purpose, scope)?;
            let ConsentState::Granted { at } = consent.state else { return None };
            let own = Permission { basis: consent.basis, since: at };
            all = Some(all.map_or(own, |all| all.and(own)));
        }
        all
    }

    /// What was said last about one scope.
    pub(crate) fn find(&self, client: ClientId, line: LineId, purpose: &Purpose, scope: &Scope) -> Option<Consent> {
        is_about(self.0.lines().get(&line)?, client, purpose, scope).cloned()
    }

    /// What was said to a request that was asked at a time: one no since then is enough.
    pub(crate) fn answer(
        &self,
        client: ClientId,
        line: LineId,
        purpose: &Purpose,
        scopes: &[Scope],
        asked_at: Timestamp,
    ) -> Answer {
        let lines = self.0.lines();
        let said = lines.get(&line).map(Vec::as_slice).unwrap_or_default();
        let mut answer = Answer::Yes;
        for scope in scopes {
            match is_about(said, client, purpose, scope) {
                Some(consent) if consent.is_in_force() => {}
                Some(consent) if consent.state.at() >= asked_at => return Answer::No,
                _ => answer = Answer::None,
            }
        }
        answer
    }

    /// All that the subject of a line has said.
    pub(crate) fn of_line(&self, line: LineId) -> Vec<Consent> {
        self.0.lines().get(&line).cloned().unwrap_or_default()
    }

    /// Changes what was said about a line to what `next` makes of it: what comes out replaces what was
    /// said about the same. It is finished even if its caller stops waiting.
    pub(crate) async fn change(
        &self,
        line: LineId,
        next: impl FnOnce(&[Consent]) -> Vec<Consent> + Send + 'static,
    ) -> Result<Vec<Consent>, StoreError> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let _order = inner.lane(line).lock().await;
            let said = inner.lines().get(&line).cloned().unwrap_or_default();
            let changed: Vec<Consent> = next(&said).into_iter().map(|consent| following(consent, &said)).collect();
            if !changed.is_empty() {
                inner.store.put(changed.clone()).await?;
                inner.show(line, &changed);
            }
            Ok(changed)
        });
        let broke_off = |cause| Err(StoreError::Failed { action: "change consents", cause: Box::new(cause) });
        task.await.unwrap_or_else(broke_off)
    }

    /// Forgets a line that has ended; its store has done so with the line.
    pub(crate) async fn end_line(&self, line: LineId) {
        let _order = self.0.lane(line).lock().await;
        self.0.lines_mut().remove(&line);
    }

    /// Forgets a client that has been removed; its store has done so with the client.
    pub(crate) fn end_client(&self, client: ClientId) {
        self.0.lines_mut().retain(|_, said| {
            said.retain(|consent| consent.client != client);
            !said.is_empty()
        });
    }
}

/// What becomes of a word after what was said before about the same.
fn following(consent: Consent, said: &[Consent]) -> Consent {
    match is_about(said, consent.client, &consent.purpose, &consent.scope) {
        Some(before) => consent.after(before),
        None => consent,
    }
}

/// The consent about one scope, of those of a line.
fn is_about<'a>(said: &'a [Consent], client: ClientId, purpose: &Purpose, scope: &Scope) -> Option<&'a Consent> {
    said.iter().find(|consent| consent.client == client && consent.scope == *scope && consent.purpose == *purpose)
}

impl Inner {
    // A panic under the lock would be a fault of this file; going on is better than never answering again.
    fn lines(&self) -> RwLockReadGuard<'_, HashMap<LineId, Vec<Consent>>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_mut(&self) -> RwLockWriteGuard<'_, HashMap<LineId, Vec<Consent>>> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, line: LineId) -> &Mutex<()> {
        // The last byte of a version 7 UUID is random.
        &self.changing[usize::from(line.as_bytes()[15]) % LANES]
    }

    fn show(&self, line: LineId, changed: &[Consent]) {
        let mut lines = self.lines_mut();
        let said = lines.entry(line).or_default();
        for consent in changed {
            let is_same = |other: &&mut Consent| {
                other.client == consent.client && other.scope == consent.scope && other.purpose == consent.purpose
            };
            match said.iter_mut().find(is_same) {
                Some(place) => *place = consent.clone(),
                None => said.push(consent.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// A store that keeps what it is given, or fails.
    #[derive(Default)]
    struct Memory {
        kept: std::sync::Mutex<Vec<Consent>>,
        fails: bool,
    }

    #[async_trait]
    impl Consents for Memory {
        fn load(&self, each: &mut dyn FnMut(Consent)) -> Result<(), StoreError> {
            self.kept.lock().unwrap().iter().cloned().for_each(each);
            Ok(())
        }

        async fn put(&self, consents: Vec<Consent>) -> Result<(), StoreError> {
            tokio::task::yield_now().await;
            if self.fails {
                return Err(StoreError::Failed { action: "put consents", cause: "the disk is full".into() });
            }
            self.kept.lock().unwrap().extend(consents);
            Ok(())
        }
    }

    const PURPOSE: Purpose = Purpose::new_static("dpv:ServiceProvision");
    const ROAMING: Scope = Scope::new_static("roaming:read");
    const REACHABILITY: Scope = Scope::new_static("reachability:read");

    fn line(id: u8) -> LineId {
        LineId::from_bytes([id; 16])
    }

    fn shop() -> ClientId {
        ClientId::from_bytes([1; 16])
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    fn said(scope: Scope, state: ConsentState) -> Consent {
        Consent { line: line(1), client: shop(), purpose: PURPOSE, scope, basis: LegalBasis::Consent, state }
    }

    fn book() -> ConsentBook {
        ConsentBook::load(Arc::new(Memory::default())).unwrap()
    }

    #[tokio::test]
    async fn all_scopes_are_needed_from_the_same_client_for_the_same_purpose() {
        let book = book();
        let yes = |scope| said(scope, ConsentState::Granted { at: second(1) });
        book.change(line(1), move |_| vec![yes(ROAMING)]).await.unwrap();
        let permits = |client, line, purpose, scopes: &[Scope]| book.permits(client, line, &purpose, scopes);
        assert!(permits(shop(), line(1), PURPOSE, &[ROAMING]));
        assert!(!permits(shop(), line(1), PURPOSE, &[ROAMING, REACHABILITY]));
        assert!(!permits(shop(), line(1), PURPOSE, &[]));
        assert!(!permits(shop(), line(2), PURPOSE, &[ROAMING]));
        assert!(!permits(ClientId::from_bytes([2; 16]), line(1), PURPOSE, &[ROAMING]));
        assert!(!permits(shop(), line(1), Purpose::new_static("dpv:Marketing"), &[ROAMING]));
    }

    #[tokio::test]
    async fn what_rested_on_a_consent_does_not_rest_on_a_later_one_whatever_the_clock_says() {
        let book = book();
        let say = |scope: &Scope, state| {
            let consent = said(scope.clone(), state);
            let book = book.clone();
            async move { book.change(line(1), |_| vec![consent]).await.unwrap() }
        };
        let both = [ROAMING, REACHABILITY];
        let since = || book.permission(shop(), line(1), &PURPOSE, &both).map(|permission| permission.since);
        say(&ROAMING, ConsentState::Granted { at: second(10) }).await;
        assert_eq!(since(), None);
        say(&REACHABILITY, ConsentState::Granted { at: second(20) }).await;
        assert_eq!(since(), Some(second(20)), "the latest");
        say(&REACHABILITY, ConsentState::Granted { at: second(30) }).await;
        assert_eq!(since(), Some(second(20)), "a second yes ends nothing");
        say(&REACHABILITY, ConsentState::Withdrawn { granted_at: second(20), at: second(5) }).await;
        assert_eq!(since(), None);
        say(&REACHABILITY, ConsentState::Granted { at: second(5) }).await;
        assert!(since().is_some_and(|since| since > second(20)), "{:?}", since());
        let of_the_other = book.permission(shop(), line(1), &PURPOSE, &[ROAMING]);
        assert_eq!(of_the_other.map(|permission| permission.since), Some(second(10)));
    }

    #[tokio::test]
    async fn a_no_before_the_question_is_no_answer_to_it_and_a_yes_is() {
        let book = book();
        let scopes = [ROAMING, REACHABILITY];
        let ask = |book: &ConsentBook, at| book.answer(shop(), line(1), &PURPOSE, &scopes, second(at));
        assert_eq!(ask(&book, 5), Answer::None);
        book.change(line(1), |_| vec![said(ROAMING, ConsentState::Denied { at: second(4) })]).await.unwrap();
        assert_eq!((ask(&book, 5), ask(&book, 4)), (Answer::None, Answer::No));
        let both = [ROAMING, REACHABILITY].map(|scope| said(scope, ConsentState::Granted { at: second(6) }));
        book.change(line(1), move |_| both.to_vec()).await.unwrap();
        assert_eq!((ask(&book, 5), ask(&book, 9)), (Answer::Yes, Answer::Yes));
        let withdrawn = ConsentState::Withdrawn { granted_at: second(6), at: second(8) };
        book.change(line(1), move |_| vec![said(REACHABILITY, withdrawn)]).await.unwrap();
        assert_eq!((ask(&book, 5), ask(&book, 9)), (Answer::No, Answer::None));
    }

    #[tokio::test]
    async fn what_cannot_be_stored_is_not_shown() {
        let book = ConsentBook::load(Arc::new(Memory { fails: true, ..Memory::default() })).unwrap();
        let yes = said(ROAMING, ConsentState::Granted { at: second(1) });
        assert!(book.change(line(1), |_| vec![yes]).await.is_err());
        assert_eq!(book.of_line(line(1)), []);
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_line_or_a_client_that_has_ended() {
        let book = book();
        let yes = said(ROAMING, ConsentState::Granted { at: second(1) });
        let other = Consent { client: ClientId::from_bytes([2; 16]), ..yes.clone() };
        for consent in [yes, other.clone()] {
            book.change(line(1), |_| vec![consent]).await.unwrap();
        }
        book.end_client(shop());
        assert_eq!(book.of_line(line(1)), [other]);
        book.end_line(line(1)).await;
        assert_eq!(book.of_line(line(1)), []);
    }
}
