//! CAMARA Device Roaming Status.

pub mod v1;
