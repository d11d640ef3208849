//! What the kernel says a process has used: processor time, memory, descriptors, bytes handed to the disk.

use std::fs;
use std::io;
use std::time::Duration;

/// The unit of /proc/PID/stat's times, which Linux fixes at a hundredth of a second for user space.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

/// A point from which used processor time and written bytes are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) written_bytes: u64,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Process {
        Process(pid)
    }

    pub(crate) fn current() -> Process {
        Process(std::process::id())
    }

    pub(crate) fn usage(self) -> io::Result<Usage> {
        Ok(Usage { cpu: self.cpu()?, written_bytes: self.written_bytes()? })
    }

    pub(crate) fn cpu(self) -> io::Result<Duration> {
        let stat = self.read("stat")?;
        // The command's name may hold anything, spaces and parentheses too, so fields count from its closing one.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        Ok(Duration::from_millis((ticks(11) + ticks(12)) * 1000 / TICKS_PER_SECOND))
    }

    /// Bytes the process caused to be sent to storage, counted when a page becomes dirty.
    pub(crate) fn written_bytes(self) -> io::Result<u64> {
        Ok(field(&self.read("io")?, "write_bytes:"))
    }

    /// As [`Process::written_bytes`], by thread and its name. Threads that have ended are missing.
    pub(crate) fn written_by_threads(self) -> io::Result<Vec<(String, u64)>> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0))?;
        let written = threads.map(|thread| {
            let thread = thread?.path();
            let name = fs::read_to_string(thread.join("comm"))?.trim_end().to_owned();
            Ok((name, field(&fs::read_to_string(thread.join("io"))?, "write_bytes:")))
        });
        written.collect()
    }

    pub(crate) fn resident_bytes(self) -> io::Result<u64> {
        Ok(field(&self.read("status")?, "VmRSS:") * 1024)
    }

    /// Resident memory with shared pages counted in proportion.
    pub(crate) fn proportional_bytes(self) -> io::Result<u64> {
        Ok(field(&self.read("smaps_rollup")?, "Pss:") * 1024)
    }

    /// The highest resident memory since the last [`Process::reset_peak`].
    pub(crate) fn peak_bytes(self) -> io::Result<u64> {
        Ok(field(&self.read("status")?, "VmHWM:") * 1024)
    }

    pub(crate) fn reset_peak(self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5")
    }

    pub(crate) fn descriptors(self) -> io::Result<u64> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.0))?.count() as u64)
    }

    fn read(self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.0))
    }
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_memory_and_descriptors() {
        let process = Process::current();
        assert!(process.resident_bytes().unwrap() > 0);
        assert!(process.descriptors().unwrap() >= 3);
        assert!(process.usage().is_ok());
    }
}
