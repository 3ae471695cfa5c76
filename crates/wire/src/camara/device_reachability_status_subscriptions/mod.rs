//! CAMARA Device Reachability Status Subscriptions.

pub mod v0_6;
pub mod v0_7;
pub mod v0_8;
