//! Attache.

mod settings;

pub use settings::{Key32, Key32Error, Mode, Settings, TlsFiles};
