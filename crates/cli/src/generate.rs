//! Shell completions and manual pages, made from the same description that parses the command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use clap_complete::Shell;

use crate::command::command;
use crate::failure::Failure;
use crate::output;

/// `headwater completions <shell>`.
pub(crate) fn completions(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let shell = *flags.get_one::<Shell>("shell").expect("clap requires it");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "headwater", &mut script);
    output::result(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// `headwater man`: the main page to standard output, or a page for each command into a directory.
pub(crate) fn man(flags: &ArgMatches) -> Result<ExitCode, Failure> {
    match flags.get_one::<PathBuf>("out") {
        Some(dir) => pages_into(dir)?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command())
                .render(&mut page)
                .map_err(|error| Failure::Other(format!("cannot render the manual page: {error}")))?;
            output::result(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pages_into(dir: &Path) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::Other(format!("cannot write manual pages to {}: {error}; choose another --out", dir.display()))
    };
    std::fs::create_dir_all(dir).map_err(refused)?;
    clap_mangen::generate_to(command(), dir).map_err(refused)
}
