//! Building the file anew from the streams.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use headwater_streams::{Engine, Store};

use crate::error::ProjectionError;
use crate::limits::LOOK_STREAMS;
use crate::projector::{ProjectionOptions, Projector, Round, SESSIONS, is_followed};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReindexProgress {
    /// Sessions there are.
    pub sessions: u64,
    /// Stored bytes read.
    pub bytes: u64,
    /// Stored bytes to read; what was trimmed counts, too, so fewer may be read.
    pub total_bytes: u64,
}

/// Builds `options.file` anew from the engine's streams; what it held before is replaced when all is done, and stays as it
/// is when that fails. Nobody else may be keeping the file meanwhile. Blocks on the file.
pub async fn reindex<S: Store>(
    engine: &Engine<S>,
    options: &ProjectionOptions,
    progress: &mut dyn FnMut(ReindexProgress),
) -> Result<ReindexProgress, ProjectionError> {
    let mut done = count(engine).await?;
    progress(done);
    let new = beside(&options.file, ".reindex");
    // One that was begun and not finished.
    remove(&new)?;
    let building = ProjectionOptions { file: new.clone(), ..options.clone() };
    let mut projector = Projector::open(engine.clone(), building).await?;
    loop {
        let round = projector.round().await?;
        done.bytes = projector.read_bytes();
        progress(done);
        if round == Round::CaughtUp {
            break;
        }
    }
    projector.close()?;
    put_in_place(&new, &options.file)?;
    Ok(done)
}

async fn count<S: Store>(engine: &Engine<S>) -> Result<ReindexProgress, ProjectionError> {
    let mut total = ReindexProgress::default();
    let mut after = None;
    loop {
        let listed = engine.list(SESSIONS, after.as_ref(), LOOK_STREAMS).await?;
        let Some(last) = listed.last() else { return Ok(total) };
        after = Some(last.path.clone());
        for listed in listed.iter().filter(|listed| is_followed(&listed.path) && !listed.soft_deleted) {
            total.sessions += 1;
            total.total_bytes += listed.tail.get();
        }
    }
}

fn put_in_place(new: &Path, file: &Path) -> Result<(), ProjectionError> {
    // ORDER: the old file's write-ahead log goes before the new file comes, which it does not belong to.
    for suffix in ["-wal", "-shm"] {
        remove_one(&beside(file, suffix))?;
    }
    let told = |source| ProjectionError::Io { operation: format!("replacing {}", file.display()), source };
    std::fs::rename(new, file).map_err(told)?;
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(told)
}

fn remove(database: &Path) -> Result<(), ProjectionError> {
    ["", "-wal", "-shm"].iter().try_for_each(|suffix| remove_one(&beside(database, suffix)))
}

fn remove_one(file: &Path) -> Result<(), ProjectionError> {
    match std::fs::remove_file(file) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(ProjectionError::Io { operation: format!("removing {}", file.display()), source })
        }
        _ => Ok(()),
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
