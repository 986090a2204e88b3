//! Visibilities less the bright sources, in the forms that the hunt works on.
//!
//! While sources are looked for, those inside the image are taken out of the compressed visibilities only, where a change costs a phasor a
//! node. Sources outside the image, for which that compression is not made, are taken out of the visibilities themselves, and
//! in the end all are.

use super::bright::BrightSource;
use super::bright_model::Model;
use super::exact::{subtract, View};
use super::grid::Compact;
use super::outliers::Coarse;
use super::{Error, Grid, Visibilities};
use crate::control::Control;
use crate::source::SkyModel;

/// A source and whether it is taken out (1) or put back (-1).
type Change = (BrightSource, f64);

pub(super) struct Layers<'a> {
    pub vis: &'a mut Visibilities,
    pub compact: &'a mut Compact,
    /// A wider field, once it is needed; as of the last [`Self::widen`].
    pub coarse: Option<Coarse>,
    stale: bool,
    grid: &'a Grid,
    view: View<'a>,
    /// Out of the packed samples, not yet out of `vis`.
    near: Vec<BrightSource>,
}

impl<'a> Layers<'a> {
    pub fn new(vis: &'a mut Visibilities, compact: &'a mut Compact, grid: &'a Grid, view: View<'a>) -> Self {
        Self { vis, compact, coarse: None, stale: true, grid, view, near: Vec::new() }
    }

    /// Make the coarse field, or bring it up to date; whether there is one.
    pub fn widen(&mut self, control: &Control) -> Result<bool, Error> {
        if !self.stale {
            return Ok(self.coarse.is_some());
        }
        match &mut self.coarse {
            Some(coarse) => coarse.update(self.vis, control)?,
            None => self.coarse = Coarse::new(self.vis, self.view.centre, control)?,
        }
        let near = signed(&self.near, 1.0);
        let nodes = self.coarse.as_ref().filter(|_| !near.is_empty()).map(|c| self.nodes(&c.grid, &near));
        if let (Some(coarse), Some(nodes)) = (&mut self.coarse, nodes) {
            coarse.take(&nodes);
        }
        self.stale = false;
        Ok(self.coarse.is_some())
    }

    /// Put the old model back and take the new one out.
    pub fn exchange(
        &mut self,
        old: &[BrightSource],
        new: &[BrightSource],
        inside: impl Fn(&BrightSource) -> bool,
        control: &Control,
    ) -> Result<(), Error> {
        let (near, far): (Vec<Change>, Vec<Change>) =
            changes(old, new).into_iter().partition(|(s, _)| inside(s));
        self.near = new.iter().filter(|s| inside(s)).cloned().collect();
        self.stale = true;
        if far.is_empty() {
            self.change_packed(&near);
            return Ok(());
        }
        subtract(self.vis, &sky(&far), &self.view, control)?;
        self.repack(control)?;
        let near = signed(&self.near, 1.0);
        self.change_packed(&near);
        Ok(())
    }

    /// Take everything out of the visibilities, exactly.
    pub fn settle(mut self, control: &Control) -> Result<(), Error> {
        if self.near.is_empty() {
            return Ok(());
        }
        let near = signed(&std::mem::take(&mut self.near), 1.0);
        subtract(self.vis, &sky(&near), &self.view, control)?;
        self.repack(control)
    }

    /// A small change after [`Self::settle`]: of the packed samples, and of the visibilities when they are needed again.
    pub fn nudge(
        &mut self,
        old: &[BrightSource],
        new: &[BrightSource],
        exactly: bool,
        control: &Control,
    ) -> Result<(), Error> {
        let changes = changes(old, new);
        self.change_packed(&changes);
        if exactly && !changes.is_empty() {
            subtract(self.vis, &sky(&changes), &self.view, control)?;
        }
        Ok(())
    }

    fn repack(&mut self, control: &Control) -> Result<(), Error> {
        self.compact.repack(self.grid, self.vis, self.vis.weight_rf.view(), control)
    }

    fn change_packed(&mut self, changes: &[Change]) {
        if !changes.is_empty() {
            let nodes = self.nodes(self.grid, changes);
            self.compact.take(self.grid, &nodes);
        }
    }

    fn nodes(&self, grid: &Grid, changes: &[Change]) -> Vec<num_complex::Complex32> {
        let sources: Vec<&BrightSource> = changes.iter().map(|(s, _)| s).collect();
        let flux: Vec<f64> = changes.iter().map(|(s, sign)| sign * s.flux_jy).collect();
        Model::new(self.view, self.vis, grid, &sources).at_nodes(&flux)
    }
}

fn signed(sources: &[BrightSource], sign: f64) -> Vec<Change> {
    sources.iter().map(|s| (s.clone(), sign)).collect()
}

fn changes(old: &[BrightSource], new: &[BrightSource]) -> Vec<Change> {
    let gone = old.iter().filter(|s| !new.contains(s)).map(|s| (s.clone(), -1.0));
    gone.chain(new.iter().filter(|s| !old.contains(s)).map(|s| (s.clone(), 1.0))).collect()
}

fn sky(changes: &[Change]) -> SkyModel {
    let mut sky = SkyModel::default();
    sky.sources.extend(changes.iter().enumerate().map(|(k, (s, sign))| s.sky_source(k, *sign)));
    sky
}
