//! CAMARA Connected Network Type Subscriptions.

pub mod v0_1;
pub mod v0_2;
