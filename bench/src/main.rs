//! Measures servers from outside: side-by-side workloads, and the `kill -9` loops.
//!
//! It knows the wire protocol and nothing of any server's code. All load comes from one thread, so that on a small
//! machine the servers keep most of the cores.

mod arguments;
mod kill_loop;
mod metric;
mod pass_through;
mod process;
mod report;
mod request;
mod runner;
mod server;
mod session_kill_loop;
mod workloads;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use arguments::{Arguments, Command, Run};
use clap::Parser;
use report::{Report, publish};
use runner::Runner;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    let done = headwater_load::raise_open_files().map_err(Into::into).and_then(|_| match arguments.command {
        Command::Run(run) => runtime.block_on(measure(&run)),
        Command::KillLoop(arguments) => runtime.block_on(kill_loop::run(&arguments)),
        Command::PassThrough(arguments) => runtime.block_on(pass_through::run(&arguments)),
        Command::SessionKillLoop(arguments) => runtime.block_on(session_kill_loop::run(&arguments)),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("headwater-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let workloads = run.workloads();
    if run.list {
        for workload in &workloads {
            writeln!(std::io::stdout(), "{}", workload.name)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if workloads.is_empty() {
        return Err("no workload has such a name; --list shows them".into());
    }
    let runner = Runner { launches: run.launches()?, scale: run.scale(), directory: run.directory() };
    let report = runner.run(&workloads).await;
    let table = report.markdown(&run.preamble(&runner));
    writeln!(std::io::stdout(), "{table}")?;
    if let Some(file) = &run.markdown {
        publish(file, &table)?;
    }
    Ok(conclude(&report, workloads.len()))
}

fn conclude(report: &Report, workloads: usize) -> ExitCode {
    let failed = report.failed_workloads();
    eprintln!("{} passed, {failed} failed", workloads - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
