//! CAMARA Connected Network Type.

pub mod v0_1;
pub mod v0_2;
