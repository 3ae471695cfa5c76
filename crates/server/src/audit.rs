//! How an event gets into the audit log: [`App::record`], before the answer leaves.

use attache_core::{AuditLog as _, AuditRecord, Problem};

use crate::app::App;

impl App {
    /// Leaves a record of what happened; [`AuditRecord`] says how it is filled in.
    ///
    /// # Errors
    /// [`Problem::StoreUnavailable`] when it cannot be kept: then the answer must not leave.
    pub(crate) async fn record(&self, record: AuditRecord<'_>) -> Result<(), Problem> {
        self.audit.record(record).await.map_err(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "an answer was held back: it could not be audited");
            Problem::StoreUnavailable
        })
    }
}
