//! The database as SQLite sees it, and its own sums.

use super::snapshot::Snapshot;
use super::{Check, Finding, Severity, Stage};
use crate::catalog::{CATALOG_FILE, CatalogError, CatalogReader};

impl Check<'_> {
    pub(super) fn catalog(&mut self, snapshot: &Snapshot) {
        self.progress(Stage::Catalog, 0, 0);
        let unreadable = "which streams there are, and where archived bytes lie, is lost; restore a backup";
        match &snapshot.catalog {
            Ok(Some(catalog)) => {
                self.report.files += 1;
                self.report.bytes += catalog.bytes_on_disk();
                if let Err(error) = self.database(catalog) {
                    let finding = Finding::new(Severity::Damage, CATALOG_FILE, error.to_string());
                    self.find(finding.so("a part of the catalog cannot be read"));
                }
            }
            Ok(None) => self.find(Finding::new(Severity::Damage, CATALOG_FILE, "the file is missing").so(unreadable)),
            Err(error) => {
                self.find(Finding::new(Severity::Damage, CATALOG_FILE, error.to_string()).so(unreadable));
            }
        }
    }

    fn database(&mut self, catalog: &CatalogReader) -> Result<(), CatalogError> {
        for what in catalog.integrity()? {
            self.find(
                Finding::new(Severity::Damage, CATALOG_FILE, what)
                    .so("the database is damaged: streams may be missing or wrong; restore a backup"),
            );
        }
        let (counted, found) = catalog.counts()?;
        if counted != found {
            let what = format!("it counts {counted} streams and has {found}");
            self.find(Finding::new(Severity::Warning, CATALOG_FILE, what).so("figures for operators are wrong"));
        }
        let (producers, extents) = catalog.strays()?;
        if producers + extents > 0 {
            let what = format!("{producers} producers and {extents} extents belong to no stream");
            self.find(Finding::new(Severity::Warning, CATALOG_FILE, what).so("their space is not reclaimed"));
        }
        Ok(())
    }
}
