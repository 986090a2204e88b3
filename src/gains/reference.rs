//! Phase referencing to a ranked list of antennas.

use num_complex::Complex64;

use super::{Error, GainTable, Term, WindowGains};
use crate::kind::BadArgument;

/// What to do where the preferred reference antenna has no solution (CASA's `refantmode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefAntMode {
    /// Use the next antenna of the list, holding its phase at the nearest solution that shares the first one.
    #[default]
    Flex,
    /// Flag the solution.
    Strict,
}

/// Rotate phases so that the reference antenna's is zero (delays: so that its delay is zero), receptor by receptor.
///
/// `ranked` are antenna indices, best first; in `Flex` mode every other antenna stands behind them.
///
/// # Errors
/// An index outside the table, or an empty list.
pub fn reference(table: &mut GainTable, ranked: &[usize], mode: RefAntMode) -> Result<(), Error> {
    let na = table.antennas.len();
    if ranked.is_empty() {
        return Err(BadArgument::new("refant", "at least one antenna", "an empty list").into());
    }
    if let Some(bad) = ranked.iter().find(|a| **a >= na) {
        return Err(BadArgument::new("refant", format!("an antenna index below {na}"), bad).into());
    }
    let mut order = ranked.to_vec();
    if mode == RefAntMode::Flex {
        order.extend((0..na).filter(|a| !ranked.contains(a)));
    }
    for window in &mut table.windows {
        let receptors = window.value_tafr.dim().3;
        let main = main_references(window, &order);
        for r in 0..receptors {
            if table.term == Term::K {
                reference_delays(window, &order, r);
            } else {
                reference_phases(window, &order, main[r], r);
            }
        }
    }
    Ok(())
}

/// First antenna of `order` with a solution in this cell.
fn pick(window: &WindowGains, order: &[usize], t: usize, f: usize, r: usize) -> Option<usize> {
    order.iter().copied().find(|a| !window.flag_tafr[[t, *a, f, r]])
}

fn flag_cell(window: &mut WindowGains, t: usize, f: usize, r: usize) {
    for a in 0..window.antennas() {
        window.flag_tafr[[t, a, f, r]] = true;
    }
}

fn reference_delays(window: &mut WindowGains, order: &[usize], r: usize) {
    let (nt, na, nf, _) = window.value_tafr.dim();
    for t in 0..nt {
        for f in 0..nf {
            match pick(window, order, t, f, r) {
                None => flag_cell(window, t, f, r),
                Some(chosen) => {
                    let zero = window.value_tafr[[t, chosen, f, r]];
                    for a in 0..na {
                        if !window.flag_tafr[[t, a, f, r]] {
                            window.value_tafr[[t, a, f, r]] -= zero;
                        }
                    }
                    window.slots[t].refant = chosen as i32;
                }
            }
        }
    }
}

fn reference_phases(window: &mut WindowGains, order: &[usize], main: Option<usize>, r: usize) {
    let (nt, na, nf, _) = window.value_tafr.dim();
    // The reference of the receptor is the one good in most cells, the list's order deciding between equals:
    // the fewer changes, the fewer seams.
    let mut solved = vec![vec![false; nf]; nt];
    let Some(main) = main else {
        for t in 0..nt {
            for f in 0..nf {
                flag_cell(window, t, f, r);
            }
        }
        return;
    };
    for t in 0..nt {
        for f in 0..nf {
            if !window.flag_tafr[[t, main, f, r]] {
                let phase = unit(window.value_tafr[[t, main, f, r]]);
                rotate(window, [t, f, r], na, phase.conj());
                solved[t][f] = true;
                window.slots[t].refant = main as i32;
            }
        }
    }
    let anchors = solved.clone();
    for t in 0..nt {
        for f in 0..nf {
            if solved[t][f] {
                continue;
            }
            match pick(window, order, t, f, r) {
                None => flag_cell(window, t, f, r),
                Some(other) => {
                    let target = nearest_anchor(window, &anchors, other, [t, f, r])
                        .unwrap_or(Complex64::new(1.0, 0.0));
                    let phase = unit(window.value_tafr[[t, other, f, r]]);
                    rotate(window, [t, f, r], na, phase.conj() * target);
                    if nf == 1 {
                        window.slots[t].refant = other as i32;
                    }
                }
            }
        }
    }
}

/// For each receptor the first antenna of the list with at least half of the solutions that the best of the list has: one antenna for
/// all receptors where there is one, as in CASA.
fn main_references(window: &WindowGains, order: &[usize]) -> Vec<Option<usize>> {
    let (nt, _, nf, nr) = window.value_tafr.dim();
    let good = |a: usize, r: usize| {
        (0..nt)
            .flat_map(|t| (0..nf).map(move |f| (t, f)))
            .filter(|(t, f)| !window.flag_tafr[[*t, a, *f, r]])
            .count()
    };
    let fits: Vec<Vec<bool>> = (0..nr)
        .map(|r| {
            let counts: Vec<usize> = order.iter().map(|a| good(*a, r)).collect();
            let best = counts.iter().copied().max().unwrap_or(0);
            counts.into_iter().map(|n| best > 0 && 2 * n >= best).collect()
        })
        .collect();
    let solved: Vec<bool> = fits.iter().map(|f| f.contains(&true)).collect();
    let common = (0..order.len()).find(|k| fits.iter().zip(&solved).all(|(f, any)| f[*k] || !any));
    (0..nr)
        .map(|r| if solved[r] { common.or_else(|| fits[r].iter().position(|f| *f)) } else { None })
        .map(|place| place.map(|k| order[k]))
        .collect()
}

/// Phase of `antenna` in the nearest referenced cell: along frequency first, then along time.
fn nearest_anchor(
    window: &WindowGains,
    anchors: &[Vec<bool>],
    antenna: usize,
    cell: [usize; 3],
) -> Option<Complex64> {
    let [t0, f0, r] = cell;
    let mut best: Option<(usize, usize, usize)> = None;
    for (t, row) in anchors.iter().enumerate() {
        for (f, is_anchor) in row.iter().enumerate() {
            if *is_anchor && !window.flag_tafr[[t, antenna, f, r]] {
                // One slot away counts as much as the whole band: phases drift, bandpasses hold.
                let distance = t.abs_diff(t0) * row.len() + f.abs_diff(f0);
                if best.is_none_or(|b| distance < b.0) {
                    best = Some((distance, t, f));
                }
            }
        }
    }
    best.map(|(_, t, f)| unit(window.value_tafr[[t, antenna, f, r]]))
}

fn rotate(window: &mut WindowGains, cell: [usize; 3], na: usize, by: Complex64) {
    let [t, f, r] = cell;
    for a in 0..na {
        if !window.flag_tafr[[t, a, f, r]] {
            window.value_tafr[[t, a, f, r]] *= by;
        }
    }
}

fn unit(z: Complex64) -> Complex64 {
    let norm = z.norm();
    if norm > 0.0 {
        z / norm
    } else {
        Complex64::new(1.0, 0.0)
    }
}
