//! CAMARA Device Status, which later split into Device Roaming Status and Device Reachability Status.

pub mod v0_4;
pub mod v0_5;
pub mod v0_5_subscriptions;
