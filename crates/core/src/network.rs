use async_trait::async_trait;

use crate::{DeviceIdentifier, Line, LineId, PhoneNumber, Plmn, Problem};

/// What is known of a line apart from its status, however the network fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineProfile {
    /// Its number.
    pub phone_number: PhoneNumber,
    /// Its home network.
    pub home: Plmn,
}

/// Where the truth comes from: a simulated network, a 3GPP exposure function, or another operator.
#[async_trait]
pub trait Network: Send + Sync {
    /// Which line an identifier names.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when none does, [`Problem::IdentifierUnsupported`] when this network
    /// does not know that kind.
    async fn identify(&self, identifier: &DeviceIdentifier) -> Result<LineId, Problem>;

    /// What does not change with a line's status.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when it is gone.
    async fn profile(&self, line: LineId) -> Result<LineProfile, Problem>;

    /// A line with what the network knows of it now.
    ///
    /// # Errors
    /// [`Problem::UnknownLine`] when it is gone, and what can happen to a network.
    async fn observe(&self, line: LineId) -> Result<Line, Problem>;
}
