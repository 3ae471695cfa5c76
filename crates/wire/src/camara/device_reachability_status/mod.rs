//! CAMARA Device Reachability Status.

pub mod v1;
