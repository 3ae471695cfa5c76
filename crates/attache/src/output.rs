//! What is printed: tables for people, JSON for programs.

use std::{
    io::{self, ErrorKind, Write},
    path::Path,
};

use anyhow::Context;
use reqwest::Response;
use serde::Serialize;
use serde_json::Value;
use tokio::{fs::OpenOptions, io::AsyncWriteExt};

/// Prints a text on standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    write_to(io::stdout(), text)
}

/// Prints a text on standard output. Returns whether anybody still reads there.
pub(crate) fn print_to_reader(text: &str) -> io::Result<bool> {
    let mut output = io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        result => result.map(|()| true),
    }
}

/// Prints a value as JSON on standard output.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print(&format!("{}\n", serde_json::to_string_pretty(value)?))?)
}

/// Writes an answer to a file, or without one on standard output, and tells how many lines it has. The file
/// is written beside the one that is asked for, which so is either whole or not there; it is for its owner alone,
/// because what is saved is about people.
pub(crate) async fn save(mut answer: Response, path: Option<&Path>) -> anyhow::Result<usize> {
    const STOPPED: &str = "the server stopped answering";
    let count = |chunk: &[u8]| chunk.split(|&byte| byte == b'\n').count() - 1;
    let mut lines = 0;
    let Some(path) = path else {
        while let Some(chunk) = answer.chunk().await.context(STOPPED)? {
            lines += count(&chunk);
            write_bytes(io::stdout(), &chunk)?;
        }
        return Ok(lines);
    };
    let cant_write = || format!("{} can't be written", path.display());
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    // One that was left behind may be open to others.
    match tokio::fs::remove_file(&partial).await {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(cant_write),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&partial).await.with_context(cant_write)?;
    while let Some(chunk) = answer.chunk().await.context(STOPPED)? {
        lines += count(&chunk);
        file.write_all(&chunk).await.with_context(cant_write)?;
    }
    file.sync_all().await.with_context(cant_write)?;
    tokio::fs::rename(&partial, path).await.with_context(cant_write)?;
    Ok(lines)
}

/// Writes a text. A reader who has heard enough (`attache line list | head`) is no error.
pub(crate) fn write_to(output: impl Write, text: &str) -> io::Result<()> {
    write_bytes(output, text.as_bytes())
}

fn write_bytes(mut output: impl Write, bytes: &[u8]) -> io::Result<()> {
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Lays out the fields of a record, one a row.
pub(crate) fn fields(record: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(record) else { return String::new() };
    let shown = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) if values.iter().all(Value::is_string) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    table(["FIELD", "VALUE"], fields.iter().map(|(name, value)| [name.clone(), shown(value)]))
}

/// Lays out rows under their headings, each column as wide as it must be.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = [headings.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["+33699901032".to_owned(), "é".to_owned()], ["+1".to_owned(), String::new()]];
        assert_eq!(table(["NUMBER", "X"], rows), "NUMBER        X\n+33699901032  é\n+1\n");
    }
}
