//! Visibilities less the bright sources, in the forms that the hunt works on.
//!
//! While sources are looked for they are taken out of the compressed visibilities only, where a change costs a phasor a node. Sources
//! beyond the image, for which its compression is not made, are taken out of the visibilities themselves as soon as the coarse
//! field has told them well, and what little they change by afterwards out of the compressed ones. In the end the bright ones are out of the visibilities exactly.

use num_complex::Complex32;

use super::bright::BrightSource;
use super::bright_model::Model;
use super::exact::{subtract, View};
use super::grid::Compact;
use super::outliers::Coarse;
use super::{Error, Grid, Visibilities};
use crate::control::Control;
use crate::source::SkyModel;

/// A source and whether it is taken out (1) or put back (-1).
pub(super) type Change = (BrightSource, f64);

/// A source beyond the image whose flux changed by no more than this share, and whose place by no more than this share of the beam, need not
/// be taken out of the visibilities again: what its compression is wrong by is a few per cent of a few per cent.
const SMALL_CHANGE: f64 = 0.03;
const SMALL_SHIFT_BEAMS: f64 = 0.01;

pub(super) struct Layers<'a> {
    pub vis: &'a mut Visibilities,
    pub compact: &'a mut Compact,
    /// A wider field, once it is needed; less the sources of the last [`Self::widen`].
    pub coarse: Option<Coarse>,
    looked: bool,
    grid: &'a Grid,
    view: View<'a>,
    beam_rad: f64,
    /// What is out of the visibilities, of the image's packed samples and of the coarse field's.
    out_of_vis: Vec<BrightSource>,
    out_of_image: Vec<BrightSource>,
    out_of_coarse: Vec<BrightSource>,
}

impl<'a> Layers<'a> {
    /// Nothing is out yet; `beam_rad` is the restoring beam's minor axis.
    pub fn new(
        vis: &'a mut Visibilities,
        compact: &'a mut Compact,
        grid: &'a Grid,
        view: View<'a>,
        beam_rad: f64,
    ) -> Self {
        Self {
            vis,
            compact,
            coarse: None,
            looked: false,
            grid,
            view,
            beam_rad,
            out_of_vis: Vec::new(),
            out_of_image: Vec::new(),
            out_of_coarse: Vec::new(),
        }
    }

    /// Make the coarse field, or bring it up to `sources`; whether there is one.
    pub fn widen(&mut self, sources: &[BrightSource], control: &Control) -> Result<bool, Error> {
        if !self.looked {
            self.looked = true;
            self.coarse = Coarse::new(self.vis, self.view.centre, control)?;
            self.out_of_coarse = self.out_of_vis.clone();
        }
        let changes = changes(&self.out_of_coarse, sources);
        if let Some(mut coarse) = self.coarse.take() {
            if !changes.is_empty() {
                coarse.take(&nodes(self.view, coarse.rows(), &coarse.grid, &changes));
            }
            self.coarse = Some(coarse);
        }
        self.out_of_coarse = sources.to_vec();
        Ok(self.coarse.is_some())
    }

    /// Take `sources` out of the image's packed samples, and nothing else.
    pub fn exchange(
        &mut self,
        sources: &[BrightSource],
        inside: impl Fn(&BrightSource) -> bool,
        control: &Control,
    ) -> Result<(), Error> {
        let far: Vec<BrightSource> = sources.iter().filter(|s| !inside(s)).cloned().collect();
        if far.len() != self.out_of_vis.len() || !far.iter().all(|s| self.is_nearly_out(s)) {
            self.settle_for(far, control)?;
        }
        let changes = changes(&self.out_of_image, sources);
        self.change_packed(&changes);
        self.out_of_image = sources.to_vec();
        Ok(())
    }

    /// Take those that `exactly` holds for out of the visibilities. The others are out of the packed samples only, and what they add there is
    /// given back.
    pub fn settle(
        mut self,
        exactly: impl Fn(&BrightSource) -> bool,
        control: &Control,
    ) -> Result<Vec<Complex32>, Error> {
        let (exact, rest): (Vec<_>, Vec<_>) = self.out_of_image.iter().cloned().partition(exactly);
        let samples = if rest.is_empty() {
            Vec::new()
        } else {
            nodes(self.view, self.vis, self.grid, &changes(&[], &rest))
        };
        if exact != self.out_of_vis {
            self.settle_for(exact, control)?;
            if !rest.is_empty() {
                self.compact.take(self.grid, &samples);
            }
        }
        Ok(samples)
    }

    /// Exactly `sources` are out of the visibilities and of the image's samples.
    fn settle_for(&mut self, sources: Vec<BrightSource>, control: &Control) -> Result<(), Error> {
        let changes = changes(&self.out_of_vis, &sources);
        subtract(self.vis, &sky(&changes), &self.view, control)?;
        self.compact.repack(self.grid, self.vis, self.vis.weight_rf.view(), control)?;
        self.out_of_image.clone_from(&sources);
        self.out_of_vis = sources;
        Ok(())
    }

    fn is_nearly_out(&self, source: &BrightSource) -> bool {
        self.out_of_vis.iter().any(|known| {
            known.position.separation_rad(source.position) < SMALL_SHIFT_BEAMS * self.beam_rad
                && (known.apparent_jy - source.apparent_jy).abs() < SMALL_CHANGE * source.apparent_jy.abs()
        })
    }

    fn change_packed(&mut self, changes: &[Change]) {
        if !changes.is_empty() {
            let samples = nodes(self.view, self.vis, self.grid, changes);
            self.compact.take(self.grid, &samples);
        }
    }
}

/// What changes take away at the nodes of a grid.
pub(super) fn nodes(view: View<'_>, vis: &Visibilities, grid: &Grid, changes: &[Change]) -> Vec<Complex32> {
    let sources: Vec<&BrightSource> = changes.iter().map(|(s, _)| s).collect();
    let flux: Vec<f64> = changes.iter().map(|(s, sign)| sign * s.flux_jy).collect();
    Model::new(view, vis, grid, &sources).at_nodes(&flux)
}

pub(super) fn changes(old: &[BrightSource], new: &[BrightSource]) -> Vec<Change> {
    let gone = old.iter().filter(|s| !new.contains(s)).map(|s| (s.clone(), -1.0));
    gone.chain(new.iter().filter(|s| !old.contains(s)).map(|s| (s.clone(), 1.0))).collect()
}

fn sky(changes: &[Change]) -> SkyModel {
    let mut sky = SkyModel::default();
    sky.sources.extend(changes.iter().enumerate().map(|(k, (s, sign))| s.sky_source(k, *sign)));
    sky
}
