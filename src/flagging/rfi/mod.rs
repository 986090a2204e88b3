//! Radio-frequency interference, baseline by baseline and over stacks of baselines.
//!
//! A baseline's visibilities lose the sources they show ([`source`]) and become evidence: the logarithm of the likelihood ratio of
//! interference of 3 sigma against noise ([`evidence`]), summed over the products. Runs of evidence along time and along frequency
//! make the first mask ([`chain`]); estimates of noise and sources leave out what scouts of about the same length flag ([`expected`]),
//! and where more is found are made again. What the neighbours in length show is prior knowledge of the second ([`stack`]). What is
//! fainter and wider is found by SumThreshold (Offringa et al. 2010, MNRAS 405, 155, doi:10.1111/j.1365-2966.2010.16471.x) over
//! rectangles ([`scan`]), with limits from the distribution of such sums ([`limits`]). The scale-invariant rank operator (Offringa
//! et al. 2012, A&A 539, A95, doi:10.1051/0004-6361/201118497) proposes gaps and rims, which stay if they look like interference
//! themselves ([`grow`]). A DSA-110 file has 24 times only, so most of the work is along frequency.

mod chain;
mod evidence;
mod expected;
mod fit;
mod flag;
mod grow;
mod limits;
mod order;
mod response;
mod scan;
mod sir;
mod source;
mod stack;
mod tile;
mod transpose;

pub use flag::flag;
pub use sir::rank;

/// Parameters of the RFI step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RfiParams {
    /// Fraction of pure noise that the search of one baseline may flag (an upper bound).
    pub false_alarm: f64,
    /// Longest rectangle in frequency \[channels\].
    pub longest_freq: usize,
    /// Longest rectangle in time \[samples\].
    pub longest_time: usize,
    /// Fraction by which flagged runs may grow (the rank operator's eta).
    pub grow: f32,
    /// Baselines of a stack; 0 looks at single baselines only.
    pub stack: usize,
}

impl Default for RfiParams {
    fn default() -> Self {
        Self { false_alarm: 2e-4, longest_freq: 32, longest_time: 32, grow: 0.2, stack: 64 }
    }
}

/// Evidence on one baseline, time-major.
#[derive(Default)]
struct Plane {
    nt: usize,
    nf: usize,
    /// Sum over the good products of the logarithm of the likelihood ratio, interference against noise.
    evidence: Vec<f32>,
    /// Number of good products.
    count: Vec<u8>,
    /// Variance of a component of the noise, product by product (of the last part of the plane).
    variance: Vec<f32>,
}

/// Compile a function twice: for every machine, and for those with AVX2 and FMA, which run the second. The body is to be inlined.
macro_rules! vectorized {
    ($(#[$doc:meta])* $vis:vis fn $wide:ident = $body:path; ($($arg:ident: $type:ty),*)) => {
        $(#[$doc])*
        $vis fn $wide($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn with_avx2($($arg: $type),*) {
                    $body($($arg),*);
                }
                if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: the machine has the instructions.
                    unsafe { with_avx2($($arg),*) };
                    return;
                }
            }
            $body($($arg),*);
        }
    };
}
use vectorized;
