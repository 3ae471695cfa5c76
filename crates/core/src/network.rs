use async_trait::async_trait;

use crate::{DeviceIdentifier, Line, LineId, Problem};

/// Where the truth comes from: a simulated network, a 3GPP exposure function, or another operator.
#[async_trait]
pub trait Network: Send + Sync {
    /// Which line an identifier names.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when none does, [`Problem::IdentifierUnsupported`] when this network
    /// does not know that kind.
    async fn identify(&self, identifier: &DeviceIdentifier) -> Result<LineId, Problem>;

    /// A line with what the network knows of it now.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when it is gone, and what can happen to a network.
    async fn observe(&self, line: LineId) -> Result<Line, Problem>;
}
