//! FITS products of the stage `image`.

use std::path::PathBuf;

use ndarray::Array2;
use sha2::{Digest, Sha256};

use super::image::{ImageParams, ImageReport, SnapshotReport, SubbandReport, TermReport};
use super::input::Input;
use crate::constants::SECONDS_PER_DAY;
use crate::fits::{iso_utc, Batch, Cards};
use crate::image::{Plane, RestoringBeam};
use crate::imaging::{Images, Noise, Partial, Stokes, TimeBin};
use crate::Error;

/// A kind of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Dirty,
    Psf,
    Model,
    Residual,
    Restored,
    Pb,
    Pbcor,
    Matched,
    Alpha,
    AlphaError,
}

impl Product {
    const ALL: [Self; 10] = [
        Self::Dirty,
        Self::Psf,
        Self::Model,
        Self::Residual,
        Self::Restored,
        Self::Pb,
        Self::Pbcor,
        Self::Matched,
        Self::Alpha,
        Self::AlphaError,
    ];
    /// Keys of the report, in the order of `ALL`.
    pub(super) const KEYS: [&'static str; 10] =
        ["dirty", "psf", "model", "residual", "restored", "pb", "pbcor", "matched", "alpha", "alpha_error"];
    const ENDINGS: [&'static str; 10] = [
        "dirty",
        "psf",
        "model",
        "residual",
        "image",
        "pb",
        "image.pbcor",
        "matched",
        "alpha",
        "alpha.error",
    ];

    pub(super) fn from_key(key: &str) -> Option<Self> {
        Self::KEYS.iter().position(|k| *k == key).map(|i| Self::ALL[i])
    }

    pub(super) fn key(self) -> &'static str {
        Self::KEYS[self as usize]
    }

    fn path(self, params: &ImageParams, infix: &str) -> PathBuf {
        let mut name = params.name.file_name().unwrap_or_default().to_owned();
        name.push(format!("{infix}-{}.fits", Self::ENDINGS[self as usize]));
        params.name.with_file_name(name)
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Model => "JY/PIXEL",
            Self::Psf | Self::Pb | Self::Alpha | Self::AlphaError => "",
            _ => "JY/BEAM",
        }
    }
}

impl Product {
    /// Cards of this product's header: brightness images say whether they are corrected for the beam.
    fn cards(self, all: &Cards) -> Cards {
        let mut cards = all.clone();
        if matches!(self, Self::Dirty | Self::Residual | Self::Restored | Self::Pbcor | Self::Matched) {
            cards.push("PBCOR", self == Self::Pbcor, "corrected for the primary beam");
        }
        cards
    }
}

/// What the headers need.
pub(super) struct Context<'a> {
    params: &'a ImageParams,
    images: &'a Images,
    cards: Cards,
    middle_mjd_s: f64,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        params: &'a ImageParams,
        telescope: &str,
        column: &str,
        times: &[TimeBin],
        inputs: &[&dyn Input],
        images: &'a Images,
    ) -> Self {
        let begin = times.iter().map(|t| t.time_mjd_s - 0.5 * t.interval_s).fold(f64::INFINITY, f64::min);
        let end = times.iter().map(|t| t.time_mjd_s + 0.5 * t.interval_s).fold(f64::NEG_INFINITY, f64::max);
        let mut cards = Cards::new();
        cards.push("TELESCOP", telescope, "");
        cards.push("DATE-BEG", iso_utc(begin), "UTC, start").push("DATE-END", iso_utc(end), "UTC, end");
        cards.push("MJD-BEG", begin / SECONDS_PER_DAY, "[d] UTC").push(
            "MJD-END",
            end / SECONDS_PER_DAY,
            "[d] UTC",
        );
        cards.push("FREQEFF", images.effective_freq_hz, "[Hz] mean by weight");
        let scheme = match params.weighting.as_str() {
            "briggs" => format!("briggs {}", params.robust),
            other => other.to_owned(),
        };
        cards.push("WEIGHTIN", scheme, "weighting").push("DATACOL", column, "column imaged");
        if let Some(stokes) = Stokes::from_name(&params.pol) {
            cards.push("CRVAL4", stokes.fits_code(), &format!("Stokes {stokes:?}"));
        }
        cards.push("NTERMS", params.nterms as i64, "terms of the spectrum");
        cards.push("EPSASKED", params.epsilon, "gridding accuracy asked");
        if let Some(reached) = images.epsilon_reached {
            cards.push("EPSREACH", reached, "against direct sums of the model");
        }
        cards.push("SMEARCOR", true, "pbcor is corrected for averaging by the correlator");
        cards.push("NBRIGHT", images.bright.len() as i64, "sources fitted to visibilities");
        let model = params.beam.as_ref().map_or_else(
            || params.dish_diameter_m.map_or("Airy".to_owned(), |d| format!("Airy {d} m")),
            |path| path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        );
        cards.push("PBMODEL", model.as_str(), "primary beam");
        cards.push("PBLIMIT", f64::from(params.pblimit), "primary-beam limit");
        cards.push("NMAJOR", images.clean.cycles.len() as i64, "major cycles");
        cards.push("NITER", images.clean.iterations as i64, "CLEAN iterations");
        for (keyword, text) in &params.cards {
            cards.push(&keyword.to_ascii_uppercase(), text.as_str(), "");
        }
        provenance(&mut cards, params, inputs);
        Self { params, images, cards, middle_mjd_s: 0.5 * (begin + end) }
    }

    pub(super) fn middle_mjd_s(&self) -> f64 {
        self.middle_mjd_s
    }

    fn cards_with(&self, noise: &Noise) -> Cards {
        let mut cards = self.cards.clone();
        cards.push("RMSEXP", noise.expected_jy, "[Jy/beam] thermal, from the weights");
        cards.push("RMSUSED", noise.used_jy, "[Jy/beam] thresholds counted from it");
        cards.push("RMSMEAS", noise.measured_jy, "[Jy/beam] robust, of the residual");
        cards
    }

    /// The plane of a product, without pixels.
    fn plane(&self, product: Product, freq_hz: f64, bandwidth_hz: f64) -> Plane {
        let beam: Option<RestoringBeam> = (product != Product::Pb).then_some(self.images.beam);
        Plane {
            data_yx: Array2::default((0, 0)),
            wcs: self.images.wcs,
            beam,
            unit: product.unit().to_owned(),
            freq_hz,
            bandwidth_hz,
            time_mjd_s: self.middle_mjd_s,
        }
    }

    fn wanted(&self, product: Product) -> bool {
        self.params.products.as_ref().is_none_or(|keys| keys.iter().any(|k| k == product.key()))
    }
}

/// Version, parameters and inputs: as text for people, as one SHA-256 for machines.
fn provenance(cards: &mut Cards, params: &ImageParams, inputs: &[&dyn Input]) {
    let version = env!("CARGO_PKG_VERSION");
    let asked = serde_json::to_string(params).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(version);
    hash.update(&asked);
    for input in inputs {
        if let Some(record) = &input.meta().provenance {
            hash.update(record.to_string());
        }
    }
    let digest: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    cards.push("PROVHASH", digest, "SHA-256 of version, parameters, inputs");
    cards.history(&format!("dsa110_contimg {version} image"));
    let words: Vec<char> = asked.chars().collect();
    for line in words.chunks(70) {
        cards.history(&line.iter().collect::<String>());
    }
}

/// Write the image of one integration.
pub(super) fn write_snapshot(context: &Context<'_>, number: usize) -> Result<SnapshotReport, Error> {
    let images = context.images;
    let cards = context.cards_with(&images.noise);
    let infix = format!("-t{number:02}");
    let mut batch = Batch::new();
    let mut stage = |product: Product, data: &Array2<f32>| -> Result<PathBuf, Error> {
        let path = product.path(context.params, &infix);
        let plane = context.plane(product, images.freq_hz, images.bandwidth_hz);
        batch.stage_pixels(&path, &plane, data.view(), &product.cards(&cards))?;
        Ok(path)
    };
    let restored = stage(Product::Restored, &images.restored_yx)?;
    let pbcor = stage(Product::Pbcor, &images.pbcor_yx)?;
    batch.commit()?;
    let mjd = context.middle_mjd_s / SECONDS_PER_DAY;
    Ok(SnapshotReport { number, mjd, restored, pbcor, noise: images.noise, outcome: images.clean.outcome })
}

/// Spectral terms from the second on, where the first was asked for.
fn terms(
    context: &Context<'_>,
    cards: &Cards,
    batch: &mut Batch,
    report: &mut ImageReport,
) -> Result<(), Error> {
    let images = context.images;
    let Some(spectral) = &images.spectral else { return Ok(()) };
    for (number, planes) in spectral.models_yx.iter().zip(&spectral.restored_yx).enumerate() {
        let infix = format!("-tt{}", number + 1);
        let mut paths = [None, None];
        for (path, product, data) in [(0, Product::Model, planes.0), (1, Product::Restored, planes.1)] {
            if context.wanted(product) {
                let place = product.path(context.params, &infix);
                let plane = context.plane(product, spectral.reference_hz, images.bandwidth_hz);
                batch.stage_pixels(&place, &plane, data.view(), cards)?;
                paths[path] = Some(place);
            }
        }
        let [model, restored] = paths;
        report.terms.push(TermReport { number: number + 1, model, restored });
    }
    Ok(())
}

/// Write the model of a run that was cancelled, for another to go on from.
pub(super) fn write_partial(
    params: &ImageParams,
    partial: &Partial,
    times: &[TimeBin],
    texts: &[(&str, &str)],
) -> Result<(), Error> {
    let path = Product::Model.path(params, "");
    let middle = times.iter().map(|t| t.time_mjd_s).sum::<f64>() / times.len().max(1) as f64;
    let plane = Plane {
        data_yx: partial.model_yx.clone(),
        wcs: partial.wcs,
        beam: Some(partial.beam),
        unit: Product::Model.unit().to_owned(),
        freq_hz: partial.freq_hz[0],
        bandwidth_hz: partial.freq_hz[1],
        time_mjd_s: middle,
    };
    let mut cards = Cards::new();
    for (keyword, text) in texts {
        cards.push(keyword, *text, "");
    }
    cards.push("PARTIAL", true, "cancelled: not cleaned to the end");
    cards.push("NMAJOR", partial.cycles as i64, "major cycles");
    let mut batch = Batch::new();
    batch.stage(&path, &plane, &cards)?;
    batch.commit()?;
    log::warn!(
        "cancelled in major cycle {}: the model so far is in {} (go on with --model)",
        partial.cycles + 1,
        path.display()
    );
    Ok(())
}

/// Write everything that was asked for; all files appear together.
pub(super) fn write(context: &Context<'_>, report: &mut ImageReport) -> Result<(), Error> {
    let images = context.images;
    let mut batch = Batch::new();
    let cards = context.cards_with(&images.noise);
    for product in Product::ALL.into_iter().filter(|p| context.wanted(*p)) {
        let spectral = images.spectral.as_ref();
        let data = match product {
            Product::Alpha | Product::AlphaError => {
                let Some(s) = spectral else { continue };
                if product == Product::Alpha {
                    &s.alpha_yx
                } else {
                    &s.alpha_error_yx
                }
            }
            Product::Matched if images.matched_yx.is_empty() => continue,
            Product::Matched => &images.matched_yx,
            Product::Dirty => &images.dirty_yx,
            Product::Psf => &images.psf_yx,
            Product::Model => &images.model_yx,
            Product::Residual => &images.residual_yx,
            Product::Restored => &images.restored_yx,
            Product::Pb => &images.pb_yx,
            Product::Pbcor => &images.pbcor_yx,
        };
        let path = product.path(context.params, "");
        let plane = context.plane(product, images.freq_hz, images.bandwidth_hz);
        batch.stage_pixels(&path, &plane, data.view(), &product.cards(&cards))?;
        report.products.insert(product.key(), path);
    }
    terms(context, &cards, &mut batch, report)?;
    for (number, part) in images.subbands.iter().enumerate() {
        let mut cards = context.cards_with(&part.noise);
        // The mean by weight is that of the whole band.
        cards.0.retain(|card| card.keyword != "FREQEFF");
        let infix = format!("-sb{number:02}");
        let mut paths = [None, None, None, None];
        for (slot, product, data) in [
            (0, Product::Restored, &part.restored_yx),
            (1, Product::Pbcor, &part.pbcor_yx),
            (2, Product::Pb, &part.pb_yx),
            (3, Product::Residual, &part.residual_yx),
        ] {
            if context.wanted(product) {
                let path = product.path(context.params, &infix);
                let plane = context.plane(product, part.freq_hz, part.bandwidth_hz);
                batch.stage_pixels(&path, &plane, data.view(), &product.cards(&cards))?;
                paths[slot] = Some(path);
            }
        }
        let [restored, pbcor, pb, residual] = paths;
        report.subbands.push(SubbandReport {
            number,
            freq_hz: part.freq_hz,
            bandwidth_hz: part.bandwidth_hz,
            restored,
            pbcor,
            pb,
            residual,
            noise: part.noise,
            outcome: part.outcome,
        });
    }
    report.mjd = context.middle_mjd_s / SECONDS_PER_DAY;
    Ok(batch.commit()?)
}
