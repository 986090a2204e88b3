//! More solutions of the same kind into a table (CASA's `append`).

use ndarray::{concatenate, Array4, Axis};

use super::table::{GainTable, Slot, WindowGains};
use super::Error;

/// Slots this close are the same solution \[s\].
const SAME_TIME_S: f64 = 1e-3;

impl GainTable {
    /// Add the solutions of `later`: new windows, and new slots in time order; a slot of the same time is replaced.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another term, other antennas, fields, channels or receptors.
    pub fn append(&mut self, later: Self) -> Result<(), Error> {
        let mismatch = |expected: String, found: String| Error::Mismatch {
            table: self.name.clone(),
            expected: format!("{expected} to append to"),
            found,
        };
        if self.term != later.term {
            return Err(mismatch(format!("{:?} solutions", later.term), format!("{:?}", self.term)));
        }
        let names = |t: &Self| t.antennas.iter().map(|a| a.name.clone()).collect::<Vec<_>>();
        if names(self) != names(&later) {
            return Err(mismatch(
                format!("the {} antennas of the data", later.antennas.len()),
                format!("{} others", self.antennas.len()),
            ));
        }
        let fields = |t: &Self| t.fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        if fields(self) != fields(&later) {
            return Err(mismatch(format!("fields {:?}", fields(&later)), format!("{:?}", fields(self))));
        }
        for new in &later.windows {
            let old = self.windows.iter().find(|w| w.spw == new.spw);
            let receptors = new.value_tafr.dim().3;
            if let Some(old) = old.filter(|w| w.freq_hz != new.freq_hz || w.value_tafr.dim().3 != receptors) {
                return Err(mismatch(
                    format!("{} channels and {receptors} receptors in window {}", new.freq_hz.len(), new.spw),
                    format!("{} and {}", old.freq_hz.len(), old.value_tafr.dim().3),
                ));
            }
        }
        for new in later.windows {
            match self.windows.iter_mut().find(|w| w.spw == new.spw) {
                Some(old) => *old = joined(old, &new),
                None => self.windows.push(new),
            }
        }
        self.windows.sort_by(|a, b| a.edges_hz()[0].total_cmp(&b.edges_hz()[0]));
        let (mine, theirs) = (&mut self.observation.time_range_mjd_s, later.observation.time_range_mjd_s);
        *mine = [mine[0].min(theirs[0]), mine[1].max(theirs[1])];
        self.history.extend(later.history);
        Ok(())
    }
}

fn joined(old: &WindowGains, new: &WindowGains) -> WindowGains {
    let slots: Vec<Slot> = old.slots.iter().chain(&new.slots).copied().collect();
    let replaced = |t: f64| new.slots.iter().any(|s| (s.time_mjd_s - t).abs() < SAME_TIME_S);
    let mut order: Vec<usize> =
        (0..slots.len()).filter(|k| *k >= old.slots.len() || !replaced(slots[*k].time_mjd_s)).collect();
    order.sort_by(|a, b| slots[*a].time_mjd_s.total_cmp(&slots[*b].time_mjd_s));
    WindowGains {
        slots: order.iter().map(|k| slots[*k]).collect(),
        value_tafr: pick(&old.value_tafr, &new.value_tafr, &order),
        flag_tafr: pick(&old.flag_tafr, &new.flag_tafr, &order),
        snr_tafr: pick(&old.snr_tafr, &new.snr_tafr, &order),
        error_tafr: pick(&old.error_tafr, &new.error_tafr, &order),
        ..new.clone()
    }
}

/// Slots of both in an order; the shapes were compared before.
fn pick<T: Clone>(old: &Array4<T>, new: &Array4<T>, order: &[usize]) -> Array4<T> {
    let both = concatenate(Axis(0), &[old.view(), new.view()]).unwrap_or_else(|_| new.clone());
    both.select(Axis(0), order)
}
