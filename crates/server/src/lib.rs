//! Attache.
