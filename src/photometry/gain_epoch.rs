//! The robust fit of one epoch's gain field, with the field that each reference would see without itself.

use super::gain_field::GainFieldParams;
use crate::math::linear::Cholesky;

/// Terms of the field.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    radius_deg: f64,
    /// `ln(nu / nu0)` of each frequency.
    ln_freq: Vec<f64>,
    /// Inverse prior variances of the parameters.
    prior: Vec<f64>,
}

/// Terms in the offsets alone.
const SPATIAL: usize = 6;

impl Basis {
    pub fn new(freq_hz: &[f64], params: &GainFieldParams) -> Self {
        let mean = freq_hz.iter().map(|f| f.ln()).sum::<f64>() / freq_hz.len().max(1) as f64;
        let [common, field, band] = params.prior.map(|p| 1.0 / (p * p));
        let mut prior = vec![common];
        prior.extend([field; SPATIAL - 1]);
        if freq_hz.len() > 1 {
            prior.extend(vec![band; freq_hz.len()]);
            prior.push(field);
        }
        Self {
            radius_deg: params.radius_deg,
            ln_freq: freq_hz.iter().map(|f| f.ln() - mean).collect(),
            prior,
        }
    }

    /// Values of the terms at an offset \[degrees\] and frequency.
    pub fn terms(&self, x_deg: f64, y_deg: f64, f: usize) -> Vec<f64> {
        let (x, y) = (x_deg / self.radius_deg, y_deg / self.radius_deg);
        let mut terms = vec![0.0; self.prior.len()];
        terms[..SPATIAL].copy_from_slice(&[1.0, x, y, x * x, x * y, y * y]);
        if self.ln_freq.len() > 1 {
            terms[SPATIAL + f] = 1.0;
            terms[SPATIAL + self.ln_freq.len()] = (x * x + y * y) * self.ln_freq[f];
        }
        terms
    }
}

/// One reference at one frequency.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub source: usize,
    pub terms: Vec<f64>,
    /// `ln(flux / baseline)`.
    pub value: f64,
    pub sigma: f64,
}

/// The field of one epoch.
#[derive(Clone, Debug)]
pub(super) struct EpochFit {
    pub params: Vec<f64>,
    /// Covariance, the scatter of the residuals taken into account, row-major.
    pub covariance: Vec<f64>,
    /// What was taken off the parameters so that the mean over the first epochs is zero.
    anchor: Vec<f64>,
    rows: Vec<Row>,
    weight: Vec<f64>,
    normal: Vec<f64>,
    right: Vec<f64>,
    inflation: f64,
}

/// Iteratively reweighted least squares with Huber weights and the prior; `None` with fewer references than asked for.
pub(super) fn fit_epoch(rows: Vec<Row>, basis: &Basis, params: &GainFieldParams) -> Option<EpochFit> {
    let mut sources: Vec<usize> = rows.iter().map(|r| r.source).collect();
    sources.dedup();
    if sources.len() < params.min_references.max(1) {
        return None;
    }
    let n = basis.prior.len();
    let mut weight: Vec<f64> = rows.iter().map(|r| 1.0 / (r.sigma * r.sigma)).collect();
    // From the median, so that one wild reference does not lead the first turn.
    let start = crate::math::robust::median(&mut rows.iter().map(|r| r.value).collect::<Vec<_>>());
    let mut solution = vec![0.0; n];
    solution[0] = start;
    let (mut normal, mut right) = (Vec::new(), Vec::new());
    for turn in 0..8 {
        for (w, row) in weight.iter_mut().zip(&rows) {
            let z = ((row.value - dot(&row.terms, &solution)) / row.sigma).abs();
            let robust = if z > params.huber { params.huber / z } else { 1.0 };
            *w = robust / (row.sigma * row.sigma);
        }
        (normal, right) = system(&rows, &weight, basis);
        let factor = Cholesky::new(&normal, n).ok()?;
        let mut next = right.clone();
        factor.solve(&mut next);
        let change = next.iter().zip(&solution).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        solution = next;
        if turn > 0 && change < 1e-6 {
            break;
        }
    }
    let inverse = Cholesky::new(&normal, n).ok()?.inverse();
    // Parameters that the data determine: the trace of (normal - prior) times the inverse.
    let determined = n as f64 - (0..n).map(|i| basis.prior[i] * inverse[i * n + i]).sum::<f64>();
    let chi2: f64 =
        rows.iter().zip(&weight).map(|(r, w)| w * (r.value - dot(&r.terms, &solution)).powi(2)).sum();
    let dof = rows.len() as f64 - determined;
    let inflation = if dof > 1.0 { (chi2 / dof).max(1.0) } else { 1.0 };
    let covariance = inverse.iter().map(|v| v * inflation).collect();
    Some(EpochFit {
        params: solution,
        covariance,
        anchor: vec![0.0; n],
        rows,
        weight,
        normal,
        right,
        inflation,
    })
}

fn system(rows: &[Row], weight: &[f64], basis: &Basis) -> (Vec<f64>, Vec<f64>) {
    let n = basis.prior.len();
    let (mut normal, mut right) = (vec![0.0; n * n], vec![0.0; n]);
    for (row, w) in rows.iter().zip(weight) {
        add(&mut normal, &mut right, row, *w);
    }
    for i in 0..n {
        normal[i * n + i] += basis.prior[i];
    }
    (normal, right)
}

fn add(normal: &mut [f64], right: &mut [f64], row: &Row, w: f64) {
    let n = right.len();
    for i in 0..n {
        let wt = w * row.terms[i];
        if wt == 0.0 {
            continue;
        }
        right[i] += wt * row.value;
        for j in 0..n {
            normal[i * n + j] += wt * row.terms[j];
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn quadratic(terms: &[f64], matrix: &[f64]) -> f64 {
    let n = terms.len();
    (0..n).map(|i| terms[i] * dot(terms, &matrix[i * n..(i + 1) * n])).sum()
}

impl EpochFit {
    /// Logarithm of the gain.
    pub fn ln_gain(&self, terms: &[f64]) -> f64 {
        dot(terms, &self.params)
    }

    /// Sources that took part.
    pub fn sources(&self) -> impl Iterator<Item = usize> + '_ {
        let mut last = None;
        self.rows.iter().filter_map(move |r| {
            let new = last != Some(r.source);
            last = Some(r.source);
            new.then_some(r.source)
        })
    }

    /// Take `mean` off the parameters.
    pub fn shift(&mut self, mean: &[f64]) {
        for ((p, a), m) in self.params.iter_mut().zip(&mut self.anchor).zip(mean) {
            *p -= m;
            *a += m;
        }
    }

    /// Logarithm of the gain and its variance as all sources but `source` tell them; `None` when they cannot.
    pub fn without(&self, source: usize, terms: &[f64]) -> Option<(f64, f64)> {
        let first = self.rows.partition_point(|r| r.source < source);
        let own = self.rows[first..].iter().take_while(|r| r.source == source).count();
        if own == 0 {
            return Some((self.ln_gain(terms), quadratic(terms, &self.covariance)));
        }
        let (mut normal, mut right) = (self.normal.clone(), self.right.clone());
        for i in first..first + own {
            add(&mut normal, &mut right, &self.rows[i], -self.weight[i]);
        }
        let factor = Cholesky::new(&normal, right.len()).ok()?;
        factor.solve(&mut right);
        let mut spread = terms.to_vec();
        factor.solve(&mut spread);
        Some((dot(terms, &right) - dot(terms, &self.anchor), self.inflation * dot(terms, &spread)))
    }
}
