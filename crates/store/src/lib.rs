//! What Attache keeps over restarts, and over `kill -9`.
//!
//! - [`SqliteStore`] keeps lines, clients, grants and sealed signing keys in one embedded file.
//! - [`FileAuditLog`] keeps who asked what about whom, append-only and chained; [`verify`] finds what
//!   was changed in it.
//!
//! Neither knows HTTP or a face. Whatever they acknowledge has outlived the process.

mod audit;
mod sqlite;
mod trouble;

pub use audit::{
    AuditFilter, AuditKey, AuditPage, Cut, Dropped, FileAuditLog, Finding, Position, PositionError, Pseudonym,
    PseudonymError, SegmentReport, Verification, VerifyError, verify,
};
pub use sqlite::{OpenError, SqliteStore, TABLES_ABOUT_A_LINE};
