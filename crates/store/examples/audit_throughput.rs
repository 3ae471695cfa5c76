//! What an audit record costs on the query path:
//! `cargo run --release -p attache-store --example audit_throughput`.

use std::{error::Error, sync::Arc, time::Instant};

use attache_core::{
    AuditEvent, AuditLog, AuditRecord, LineId, PublisherName, Purpose, Scope, SubjectKey, Subjects, Timestamp,
};
use attache_store::{AuditKey, FileAuditLog, verify};

const RECORDS: u32 = 1_000_000;

/// Knows the key of every line.
struct AllLines;

impl Subjects for AllLines {
    fn subject_key(&self, line: LineId) -> Option<SubjectKey> {
        Some(SubjectKey::from_bytes([line.as_bytes()[0]; 8]))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for workers in [1, 2] {
        for tasks in [1, 16, 64, 256] {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).build()?;
            let directory = tempfile::tempdir()?;
            let key = AuditKey::new(b"a key for the measurement");
            let log = Arc::new(FileAuditLog::open(directory.path(), key.clone(), Arc::new(AllLines), 0)?);
            let before = Instant::now();
            runtime.block_on(async {
                let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(ask(Arc::clone(&log), RECORDS / tasks))).collect();
                for task in tasks {
                    task.await??;
                }
                Ok::<_, Box<dyn Error>>(())
            })?;
            let elapsed = before.elapsed();
            drop(log);
            let verification = verify(directory.path(), &key)?;
            println!(
                "{workers} workers, {tasks} tasks: {:?} a record, {} segments, intact: {}",
                elapsed / RECORDS,
                verification.segments.len(),
                verification.is_intact(),
            );
        }
    }
    Ok(())
}

async fn ask(log: Arc<FileAuditLog>, records: u32) -> Result<(), attache_core::AuditError> {
    let (publisher, purpose) =
        (PublisherName::new_static("camara"), Purpose::new_static("dpv:FraudPreventionAndDetection"));
    let scopes = [Scope::new_static("device-roaming-status:read")];
    for index in 0..records {
        log.record(AuditRecord {
            publisher: Some(&publisher),
            client_id: Some("attache-demo-client"),
            action: "/device-roaming-status/v1/retrieve",
            subject: Some(LineId::from_bytes(u128::from(index).to_be_bytes())),
            scopes: &scopes,
            purpose: Some(&purpose),
            correlator: Some("b4333c46-49c0-4f62-80d7-f0ef930f1c46"),
            ..AuditRecord::new(
                Timestamp::from_unix_nanoseconds(1_700_000_000_123_456_789 + i64::from(index)),
                AuditEvent::Query,
                "answered",
            )
        })
        .await?;
    }
    Ok(())
}
