/// Something that keeps what must last.
pub trait Health: Send + Sync {
    /// Whether it can be written, as far as the last attempt told. While it cannot, it is tried again and again.
    fn is_writable(&self) -> bool;
}

/// A store failed. Nothing was half-written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record exists already.
    #[error("it exists already")]
    Exists,
    /// The record is not as it was seen: somebody else changed or removed it.
    #[error("it was changed meanwhile")]
    Changed,
    /// The store itself failed: it is full, locked, damaged or gone.
    #[error("the store failed to {action}")]
    Failed {
        /// What it should have done.
        action: &'static str,
        /// Its own error.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}
