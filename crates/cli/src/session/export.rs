//! `headwater session export`: a session as a file, streamed.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use headwater_client::sessions::{Export, ExportFormat};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::{Named, failed, text};
use crate::failure::Failure;
use crate::limits::REDRAWS_PER_SECOND;
use crate::output;
use crate::remote::{Remote, Told};

pub(super) async fn export(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags)?;
    let format = ExportFormat::of(&text(flags, "format").expect("it has a default")).expect("clap checks it");
    let mut export = named.client.export(&named.id, format).await.map_err(|error| failed(&error))?;
    let Some(path) = flags.get_one::<PathBuf>("output") else {
        while let Some(piece) = export.next().await.map_err(|error| failed(&error))? {
            output::result_bytes(&piece)?;
        }
        return Ok(());
    };
    let bar = bar(remote.told);
    let written = write(&mut export, path, &bar).await;
    bar.finish_and_clear();
    match written {
        Ok(bytes) => {
            remote.told.note(format_args!("{}: {}", path.display(), output::rounded_size(bytes)));
            Ok(())
        }
        Err(failure) => {
            // Half an export looks like a whole one.
            if let Err(error) = tokio::fs::remove_file(path).await {
                output::note(format_args!("{} is not complete and could not be removed: {error}", path.display()));
            }
            Err(failure)
        }
    }
}

async fn write(export: &mut Export, path: &Path, bar: &ProgressBar) -> Result<u64, Failure> {
    let refused = |error: std::io::Error| {
        Failure::Other(format!("cannot write {}: {error}; choose another --output", path.display()))
    };
    let mut file = File::create(path).await.map_err(refused)?;
    let mut bytes = 0;
    while let Some(piece) = export.next().await.map_err(|error| failed(&error))? {
        file.write_all(&piece).await.map_err(refused)?;
        bytes += piece.len() as u64;
        bar.set_position(bytes);
    }
    file.flush().await.map_err(refused)?;
    Ok(bytes)
}

/// Draws nothing unless standard error is a terminal.
fn bar(told: Told) -> ProgressBar {
    let target =
        if told.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND) };
    let style = ProgressStyle::with_template("{spinner} {bytes} {binary_bytes_per_sec} {elapsed}");
    ProgressBar::with_draw_target(None, target).with_style(style.expect("the template is well formed"))
}
