//! Which antenna the phases refer to.

/// Station used when nothing else is asked.
pub const DEFAULT_REFERENCE: u32 = 103;
/// Stations tried in turn, outriggers east, north, then west.
pub const REFERENCE_CHAIN: [u32; 15] =
    [104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 103, 117];
/// Healthy antennas put before the chain in a recommendation.
const RECOMMENDED: usize = 5;
/// An antenna with this fraction of its solutions flagged, or more, is not fit to be the reference.
const UNHEALTHY_FLAGGED: f64 = 0.5;

/// How well an antenna did in a calibration table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AntennaHealth {
    /// Station number.
    pub station: u32,
    /// Fraction of its solutions that are flagged.
    pub flagged: f64,
}

impl AntennaHealth {
    /// `excellent`, `good`, `fair` or `unhealthy`.
    pub fn grade(&self) -> &'static str {
        match self.flagged {
            f if f < 0.1 => "excellent",
            f if f < 0.3 => "good",
            f if f < UNHEALTHY_FLAGGED => "fair",
            _ => "unhealthy",
        }
    }

    /// Fit to be the reference.
    pub fn is_healthy(&self) -> bool {
        self.flagged < UNHEALTHY_FLAGGED
    }
}

/// Stations in the order in which they should serve as reference: `preferred` (the default one when `None`), then the five
/// healthiest stations, then the chain; stations known to be unhealthy come last. Each station once, in CASA's order of preference.
pub fn reference_ranking(preferred: Option<u32>, health: &[AntennaHealth]) -> Vec<u32> {
    let unhealthy = |station: u32| health.iter().any(|h| h.station == station && !h.is_healthy());
    let mut healthy: Vec<AntennaHealth> = health.iter().copied().filter(AntennaHealth::is_healthy).collect();
    let place =
        |station: u32| REFERENCE_CHAIN.iter().position(|s| *s == station).unwrap_or(REFERENCE_CHAIN.len());
    healthy.sort_by(|a, b| {
        a.flagged
            .total_cmp(&b.flagged)
            .then(place(a.station).cmp(&place(b.station)))
            .then(a.station.cmp(&b.station))
    });
    let wanted = std::iter::once(preferred.unwrap_or(DEFAULT_REFERENCE))
        .chain(healthy.iter().take(RECOMMENDED).map(|h| h.station))
        .chain(REFERENCE_CHAIN);
    let mut ranking: Vec<u32> = Vec::new();
    let mut last: Vec<u32> = Vec::new();
    for station in wanted {
        let list = if unhealthy(station) { &mut last } else { &mut ranking };
        if !list.contains(&station) {
            list.push(station);
        }
    }
    ranking.extend(last);
    ranking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_health_it_is_the_default_and_the_chain() {
        let ranking = reference_ranking(None, &[]);
        assert_eq!(ranking[..3], [103, 104, 105]);
        assert_eq!(ranking.len(), REFERENCE_CHAIN.len());
        assert_eq!(reference_ranking(Some(24), &[])[..2], [24, 103 + 1]);
    }

    #[test]
    fn healthy_antennas_lead_and_sick_ones_trail() {
        let health = [(103, 0.9), (7, 0.0), (8, 0.2), (104, 0.2), (9, f64::NAN)]
            .map(|(station, flagged)| AntennaHealth { station, flagged });
        let ranking = reference_ranking(None, &health);
        assert_eq!(ranking[..3], [7, 104, 8]);
        assert_eq!(ranking.last(), Some(&103));
        assert!(!ranking.contains(&9));
        assert_eq!(health.map(|h| h.grade()), ["unhealthy", "excellent", "good", "good", "unhealthy"]);
    }
}
