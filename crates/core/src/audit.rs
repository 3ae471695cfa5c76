use async_trait::async_trait;

use crate::{PhoneNumber, PublisherName, Purpose, Timestamp};

/// One use of personal data: who asked what about whom, why, when, and with what outcome.
#[derive(Debug)]
pub struct AuditRecord<'a> {
    /// When.
    pub at: Timestamp,
    /// At which publisher.
    pub publisher: &'a PublisherName,
    /// The `client_id` of who asked.
    pub client_id: &'a str,
    /// What: the API, its version and the question, such as `device-roaming-status/v1 roaming`.
    pub action: &'a str,
    /// About whom. It is stored as a keyed pseudonym.
    pub subject: Option<PhoneNumber>,
    /// Why.
    pub purpose: &'a Purpose,
    /// The correlator of the request.
    pub correlator: &'a str,
    /// `answered`, or the name of the [`crate::Problem`].
    pub outcome: &'a str,
}

/// The record could not be kept, so the answer must not leave.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct AuditError(#[source] pub std::sync::Arc<std::io::Error>);

/// The append-only log of all uses of personal data.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns when the record would outlive the process.
    async fn record(&self, record: AuditRecord<'_>) -> Result<(), AuditError>;
}
