//! CAMARA Device Reachability Status.

pub mod v0_6;
pub mod v1;
pub mod v1_0;
