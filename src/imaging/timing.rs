//! Wall and CPU time of the parts of a run.

use std::time::Instant;

/// Time of one part.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Timing {
    /// The part.
    pub name: String,
    /// Wall time \[s\].
    pub wall_s: f64,
    /// User and system time of the whole process meanwhile \[s\].
    pub cpu_s: f64,
}

/// Collects the times of parts that follow one another; a part met again adds to its entry.
#[derive(Debug)]
pub struct Stopwatch {
    last: (Instant, f64),
    /// Parts so far.
    pub parts: Vec<Timing>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self { last: (Instant::now(), cpu_seconds()), parts: Vec::new() }
    }
}

impl Stopwatch {
    /// Begin now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Give the time since the last call to `name`.
    pub fn lap(&mut self, name: &str) {
        let now = (Instant::now(), cpu_seconds());
        let (wall_s, cpu_s) = ((now.0 - self.last.0).as_secs_f64(), now.1 - self.last.1);
        match self.parts.iter_mut().find(|p| p.name == name) {
            Some(part) => {
                part.wall_s += wall_s;
                part.cpu_s += cpu_s;
            }
            None => self.parts.push(Timing { name: name.to_owned(), wall_s, cpu_s }),
        }
        self.last = now;
    }

    /// CPU seconds of every part, for the log.
    pub(super) fn summary(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|p| format!("{} {:.2}", p.name, p.cpu_s)).collect();
        format!("{} CPU s", parts.join(", "))
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: getrusage fills the struct it is given; zeros are a valid one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
