//! How an event gets into the audit log: [`App::record`], before the answer leaves.

use attache_core::{AuditLog as _, AuditRecord, Health as _, Problem};

use crate::app::App;

impl App {
    /// Leaves a record of what happened; [`AuditRecord`] says how it is filled in.
    ///
    /// # Errors
    /// [`Problem::StoreUnavailable`] when it cannot be kept: then the answer must not leave.
    pub(crate) async fn record(&self, record: AuditRecord<'_>) -> Result<(), Problem> {
        self.audit.record(record).await.map_err(|error| {
            // The audit log tells its trouble itself, once for all whom it concerns.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "an answer was held back: it could not be audited"
            );
            Problem::StoreUnavailable
        })
    }

    /// Whether what is done now can be recorded. Whoever changes something asks it first, so that nothing is done
    /// whose answer must then be held back.
    pub(crate) fn can_record(&self) -> Result<(), Problem> {
        if self.audit.is_writable() { Ok(()) } else { Err(Problem::StoreUnavailable) }
    }
}
