use attache_core::Timestamp;
use serde::{Serialize, Serializer};

/// A time with milliseconds, in the format that CAMARA recommends (Design Guide, section 2.1).
#[derive(Debug)]
pub(crate) struct Milliseconds(pub(crate) Timestamp);

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}
