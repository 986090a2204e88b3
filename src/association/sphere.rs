//! Matching of positions on the sphere, right across right ascension zero and at the poles.

use crate::coords::RaDec;

/// A pair of positions and their distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index into the positions that were asked about.
    pub query: usize,
    /// Index into the positions that were indexed.
    pub found: usize,
    /// Great-circle distance \[rad\].
    pub separation_rad: f64,
}

/// Positions sorted by the z coordinate of their unit vectors.
///
/// A cone of radius `r` about declination `d` spans `z` from `sin(d - r)` to `sin(d + r)` (to a pole, when it holds
/// one), so a slice of the sorted list holds the whole answer and the distance decides; there is no right ascension to wrap.
#[derive(Clone, Debug)]
pub struct SphereIndex {
    /// `(unit vector, index, position)` by rising z.
    sorted: Vec<([f64; 3], usize, RaDec)>,
}

impl SphereIndex {
    /// Index `positions`; those that are not finite are never found.
    pub fn new(positions: &[RaDec]) -> Self {
        let mut sorted: Vec<_> = positions
            .iter()
            .enumerate()
            .map(|(i, p)| (p.unit(), i, *p))
            .filter(|(u, _, _)| u.iter().all(|c| c.is_finite()))
            .collect();
        sorted.sort_by(|a, b| a.0[2].total_cmp(&b.0[2]));
        Self { sorted }
    }

    /// Everything within `radius_rad` of `centre`, nearest first. Empty for a radius that is negative or NaN.
    pub fn within(&self, centre: RaDec, radius_rad: f64) -> Vec<Match> {
        let mut found = Vec::new();
        self.visit(centre, radius_rad, |index, separation_rad| {
            found.push(Match { query: 0, found: index, separation_rad });
        });
        found.sort_by(|a, b| a.separation_rad.total_cmp(&b.separation_rad).then(a.found.cmp(&b.found)));
        found
    }

    /// The nearest position within `radius_rad`; of equally near ones the first in the list.
    pub fn nearest(&self, centre: RaDec, radius_rad: f64) -> Option<Match> {
        let mut best: Option<Match> = None;
        self.visit(centre, radius_rad, |index, separation_rad| {
            let better = best.is_none_or(|b| (separation_rad, index) < (b.separation_rad, b.found));
            if better {
                best = Some(Match { query: 0, found: index, separation_rad });
            }
        });
        best
    }

    /// For each of `queries` its nearest position within `radius_rad`, or none.
    pub fn nearest_of_each(&self, queries: &[RaDec], radius_rad: f64) -> Vec<Option<Match>> {
        queries
            .iter()
            .enumerate()
            .map(|(query, p)| self.nearest(*p, radius_rad).map(|m| Match { query, ..m }))
            .collect()
    }

    /// Every pair of a query and a position within `radius_rad`, by query, nearest first.
    pub fn pairs(&self, queries: &[RaDec], radius_rad: f64) -> Vec<Match> {
        let of = |(query, p): (usize, &RaDec)| {
            self.within(*p, radius_rad).into_iter().map(move |m| Match { query, ..m })
        };
        queries.iter().enumerate().flat_map(of).collect()
    }

    fn visit(&self, centre: RaDec, radius_rad: f64, mut found: impl FnMut(usize, f64)) {
        let u = centre.unit();
        if !(radius_rad >= 0.0 && u.iter().all(|c| c.is_finite())) {
            return;
        }
        let radius = radius_rad.min(std::f64::consts::PI);
        let half_pi = std::f64::consts::FRAC_PI_2;
        // Rounding must not lose a position on the rim: widen the slice by a hair, the exact distance decides.
        let hair = 1e-12;
        let low =
            if centre.dec_rad - radius <= -half_pi { -1.0 } else { (centre.dec_rad - radius).sin() } - hair;
        let high =
            if centre.dec_rad + radius >= half_pi { 1.0 } else { (centre.dec_rad + radius).sin() } + hair;
        let chord2 = (2.0 * (0.5 * radius).sin()).powi(2) * (1.0 + 1e-9) + hair * hair;
        let first = self.sorted.partition_point(|s| s.0[2] < low);
        for (v, index, position) in self.sorted[first..].iter().take_while(|s| s.0[2] <= high) {
            let d2 = (v[0] - u[0]).powi(2) + (v[1] - u[1]).powi(2) + (v[2] - u[2]).powi(2);
            if d2 <= chord2 {
                let separation = centre.separation_rad(*position);
                if separation <= radius_rad {
                    found(*index, separation);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rotated(p: RaDec, by: f64) -> RaDec {
        RaDec::from_rad(p.ra_rad + by, p.dec_rad)
    }

    #[test]
    fn across_zero_and_over_the_pole() {
        let sky = SphereIndex::new(&[
            RaDec::from_deg(0.005, 10.0),
            RaDec::from_deg(180.0, 89.99),
            RaDec::from_deg(90.0, -90.0),
        ]);
        assert_eq!(sky.nearest(RaDec::from_deg(359.996, 10.0), 1e-3).unwrap().found, 0);
        let over = sky.nearest(RaDec::from_deg(0.0, 89.99), 4e-4).unwrap();
        assert!(over.found == 1 && (over.separation_rad.to_degrees() - 0.02).abs() < 1e-10);
        assert_eq!(sky.within(RaDec::from_deg(271.0, -89.9999), 1e-3).len(), 1);
        assert!(sky.nearest(RaDec::from_deg(0.0, 0.0), -1.0).is_none());
        assert!(sky.nearest(RaDec::from_deg(f64::NAN, 0.0), 1.0).is_none());
        assert_eq!(sky.within(RaDec::from_deg(12.0, 3.0), 4.0).len(), 3);
    }

    #[test]
    fn a_position_matches_itself_at_radius_zero() {
        let p = RaDec::from_deg(123.456, 78.9);
        assert_eq!(SphereIndex::new(&[p]).nearest(p, 0.0).unwrap().separation_rad, 0.0);
    }

    proptest! {
        #[test]
        fn finds_what_all_distances_find_under_any_rotation(
            points in prop::collection::vec((0.0..360.0f64, -90.0..90.0f64), 1..60),
            radius in 0.0..2.0f64,
            by in 0.0..6.28f64,
        ) {
            let sky: Vec<RaDec> = points.iter().map(|p| RaDec::from_deg(p.0, p.1)).collect();
            let centre = sky[0];
            let got = SphereIndex::new(&sky).within(centre, radius);
            let expected = sky.iter().filter(|p| centre.separation_rad(**p) <= radius).count();
            prop_assert_eq!(got.len(), expected);
            let turned: Vec<RaDec> = sky.iter().map(|p| rotated(*p, by)).collect();
            let nearest = SphereIndex::new(&turned).within(rotated(centre, by), radius);
            // A position on the rim may fall to either side when rounding differs.
            prop_assert!(nearest.len().abs_diff(expected) <= usize::from(sky.iter().any(|p| (centre.separation_rad(*p) - radius).abs() < 1e-12)));
        }
    }
}
