//! Runs workloads round by round, servers alternating, each trial on an empty data directory.

use std::io;
use std::path::PathBuf;

use tokio::task::LocalSet;

use crate::report::Report;
use crate::server::{Kind, Launch};
use crate::workloads::{Scale, Shared, Trial, Workload};

#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) launches: Vec<Launch>,
    pub(crate) scale: Scale,
    /// Where data directories are made.
    pub(crate) directory: PathBuf,
}

impl Runner {
    pub(crate) async fn run(&self, workloads: &[Workload]) -> Report {
        let mut report = Report::default();
        for (number, workload) in workloads.iter().enumerate() {
            eprintln!("[{}/{}] {}", number + 1, workloads.len(), workload.name);
            self.run_rounds(workload, &mut report).await;
        }
        report
    }

    async fn run_rounds(&self, workload: &Workload, report: &mut Report) {
        let mut shared = Shared::default();
        for round in 0..self.scale.rounds {
            for launch in self.order(round).filter(|launch| workload.takes(launch.kind)) {
                match self.trial(workload, launch, &mut shared).await {
                    Ok(metrics) => {
                        eprintln!("    {}: {}", launch.kind.label(), Report::summary(&metrics));
                        report.add(&workload.name, round, launch.kind, metrics);
                    }
                    Err(error) => {
                        eprintln!("    {}: FAILED: {error}", launch.kind.label());
                        report.add_failure(&workload.name, launch.kind, &error);
                    }
                }
            }
        }
    }

    /// The peer goes first in the first round, since it sets the rate of the open loop; then they take turns.
    fn order(&self, round: usize) -> impl Iterator<Item = &Launch> {
        let mut launches: Vec<&Launch> = self.launches.iter().collect();
        launches.sort_by_key(|launch| (launch.kind == Kind::Headwater) == round.is_multiple_of(2));
        launches.into_iter()
    }

    async fn trial(
        &self,
        workload: &Workload,
        launch: &Launch,
        shared: &mut Shared,
    ) -> io::Result<Vec<crate::metric::Metric>> {
        let data_dir = tempfile::Builder::new().prefix("headwater-bench-").tempdir_in(&self.directory)?;
        let mut trial = Trial { launch, data_dir: data_dir.path(), scale: self.scale, shared };
        LocalSet::new().run_until(workload.run(&mut trial)).await
    }
}
