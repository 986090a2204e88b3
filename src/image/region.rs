//! DS9 regions: circles, ellipses, boxes and polygons on the sky or on pixels.

use ndarray::Array2;

use super::{Error, Wcs};
use crate::coords::{Lmn, RaDec};
use crate::kind::BadArgument;

/// Lengths and places of a region: radians on the sky, or pixels (first pixel 1, as in DS9).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Sky(RaDec),
    Pixel([f64; 2]),
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// Half axes and position angle of the first, north through east (sky) or from x to y (pixels) \[rad\].
    Ellipse([f64; 2], f64),
    /// Half sides and angle.
    Box([f64; 2], f64),
    /// Corners about the place, in its units.
    Polygon(Vec<[f64; 2]>),
}

/// One region of a DS9 file.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    place: Place,
    shape: Shape,
    /// Whether what is inside is taken out.
    excluded: bool,
}

impl Region {
    /// A circle on the sky.
    pub fn circle(centre: RaDec, radius_rad: f64) -> Self {
        Self { place: Place::Sky(centre), shape: Shape::Ellipse([radius_rad; 2], 0.0), excluded: false }
    }

    /// Set (or clear, for an excluded region) the pixels whose centres are inside, and always the pixel of the region's place.
    pub fn paint(&self, wcs: &Wcs, mask_yx: &mut Array2<bool>) {
        let (ny, nx) = mask_yx.dim();
        let (centre, unit) = match self.place {
            Place::Sky(at) => match wcs.sky_to_pixel(at) {
                Some(pixel) => (pixel, wcs.increment_rad[1].abs()),
                None => return,
            },
            Place::Pixel([x, y]) => ([x - 1.0, y - 1.0], 1.0),
        };
        // Slant and projection stretch by a few per cent at most.
        let reach = 1.1 * self.shape.reach() / unit + 2.0;
        let span = |c: f64, n: usize| {
            (c - reach).floor().clamp(0.0, n as f64) as usize
                ..(c + reach).ceil().clamp(0.0, n as f64) as usize
        };
        for y in span(centre[1], ny) {
            for x in span(centre[0], nx) {
                let here = x as f64 == centre[0].round() && y as f64 == centre[1].round();
                if here || self.shape.holds(self.offset(wcs, [x as f64, y as f64])) {
                    mask_yx[[y, x]] = !self.excluded;
                }
            }
        }
    }

    /// A pixel from the region's place: east and north \[rad\], or x and y.
    fn offset(&self, wcs: &Wcs, pixel: [f64; 2]) -> [f64; 2] {
        match self.place {
            Place::Sky(at) => {
                let p = Lmn::of(wcs.pixel_to_sky(pixel), at);
                [p.l, p.m]
            }
            Place::Pixel([x, y]) => [pixel[0] - (x - 1.0), pixel[1] - (y - 1.0)],
        }
    }
}

impl Shape {
    fn reach(&self) -> f64 {
        match self {
            Self::Ellipse([a, b], _) => a.max(*b),
            Self::Box([a, b], _) => a.hypot(*b),
            Self::Polygon(corners) => corners.iter().map(|[x, y]| x.hypot(*y)).fold(0.0, f64::max),
        }
    }

    fn holds(&self, [x, y]: [f64; 2]) -> bool {
        let turned = |angle: f64| {
            let (s, c) = angle.sin_cos();
            [x * c + y * s, y * c - x * s]
        };
        match self {
            Self::Ellipse([a, b], angle) => {
                let [p, q] = turned(*angle);
                (p / a).powi(2) + (q / b).powi(2) <= 1.0
            }
            Self::Box([a, b], angle) => {
                let [p, q] = turned(*angle);
                p.abs() <= *a && q.abs() <= *b
            }
            Self::Polygon(corners) => {
                let mut inside = false;
                for (k, [x1, y1]) in corners.iter().enumerate() {
                    let [x2, y2] = corners[(k + 1) % corners.len()];
                    if (*y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 {
                        inside = !inside;
                    }
                }
                inside
            }
        }
    }
}

/// Regions of a DS9 file. Frames `fk5`, `icrs` (taken as the same) and `image`/`physical`; shapes circle, ellipse, box,
/// polygon and point.
///
/// # Errors
/// A frame, shape or number that is not understood, with its line.
pub fn read_regions(text: &str) -> Result<Vec<Region>, Error> {
    let mut sky = None;
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("");
        for part in line.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let wrong = |expected: &str| {
                BadArgument::new(format!("region file, line {}", number + 1), expected, format!("{part:?}"))
            };
            match part.to_ascii_lowercase().as_str() {
                "fk5" | "icrs" | "j2000" => sky = Some(true),
                "image" | "physical" => sky = Some(false),
                lower if lower.starts_with("global") => {}
                lower if !lower.contains('(') => return Err(wrong("fk5, icrs or image").into()),
                lower => {
                    let sky = sky.ok_or_else(|| wrong("a line fk5, icrs or image before the first shape"))?;
                    let shape = "circle(ra,dec,r\"), ellipse, box, polygon or point";
                    out.push(region(lower, sky).ok_or_else(|| wrong(shape))?);
                }
            }
        }
    }
    if out.is_empty() {
        return Err(BadArgument::new("region file", "at least one region", "none").into());
    }
    Ok(out)
}

fn region(text: &str, sky: bool) -> Option<Region> {
    let excluded = text.starts_with('-');
    let text = text.trim_start_matches(['-', '+', ' ']);
    let (name, rest) = text.split_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    let values: Vec<&str> = inside.split([',', ' ']).map(str::trim).filter(|v| !v.is_empty()).collect();
    let at = |k: usize| -> Option<Place> {
        let (a, b) = (values.get(k)?, values.get(k + 1)?);
        Some(if sky {
            Place::Sky(RaDec::from_deg(angle_deg(a, true)?, angle_deg(b, false)?))
        } else {
            Place::Pixel([a.parse().ok()?, b.parse().ok()?])
        })
    };
    let size = |k: usize| length(values.get(k)?, sky).filter(|s| *s > 0.0);
    // On the sky the first axis of DS9 points west at angle 0 and turns to the north: east is the negative.
    let angle = |k: usize| -> Option<f64> {
        let degrees: f64 = values.get(k).map_or(Some(0.0), |v| v.trim_end_matches('d').parse().ok())?;
        Some(if sky { -degrees.to_radians() } else { degrees.to_radians() })
    };
    let place = at(0)?;
    let shape = match name.trim() {
        "circle" => Shape::Ellipse([size(2)?; 2], 0.0),
        "ellipse" => Shape::Ellipse([size(2)?, size(3)?], angle(4)?),
        "box" => Shape::Box([0.5 * size(2)?, 0.5 * size(3)?], angle(4)?),
        "point" => Shape::Ellipse([f64::MIN_POSITIVE; 2], 0.0),
        "polygon" if values.len() >= 6 && values.len() % 2 == 0 => {
            let corners = (0..values.len() / 2)
                .map(|k| match (at(2 * k)?, place) {
                    (Place::Sky(corner), Place::Sky(first)) => {
                        let p = Lmn::of(corner, first);
                        Some([p.l, p.m])
                    }
                    (Place::Pixel([x, y]), Place::Pixel([x0, y0])) => Some([x - x0, y - y0]),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?;
            Shape::Polygon(corners)
        }
        _ => return None,
    };
    Some(Region { place, shape, excluded })
}

/// Degrees, or sexagesimal (hours for a right ascension).
fn angle_deg(text: &str, hours: bool) -> Option<f64> {
    let text = text.trim_end_matches('d');
    if !text.contains(':') {
        return text.parse().ok().filter(|v: &f64| v.is_finite());
    }
    let negative = text.starts_with('-');
    let mut value = 0.0;
    for (k, part) in text.trim_start_matches(['-', '+']).split(':').enumerate() {
        value += part.parse::<f64>().ok()? / 60f64.powi(k as i32);
    }
    let value = if negative { -value } else { value };
    Some(if hours { 15.0 * value } else { value })
}

/// A length \[rad or pixels\]; without a unit degrees on the sky.
fn length(text: &str, sky: bool) -> Option<f64> {
    let (number, degrees) = match text.chars().last()? {
        '"' => (&text[..text.len() - 1], 1.0 / 3600.0),
        '\'' => (&text[..text.len() - 1], 1.0 / 60.0),
        'd' => (&text[..text.len() - 1], 1.0),
        'p' | 'i' if !sky => (&text[..text.len() - 1], 1.0),
        _ => (text, 1.0),
    };
    let value: f64 = number.parse().ok().filter(|v: &f64| v.is_finite())?;
    Some(if sky { (value * degrees).to_radians() } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(text: &str) -> Array2<bool> {
        let wcs = Wcs::centred(RaDec::from_deg(0.05, 45.0), 64, 64, (10.0 / 3600.0f64).to_radians());
        let mut mask = Array2::from_elem((64, 64), false);
        for region in read_regions(text).unwrap() {
            region.paint(&wcs, &mut mask);
        }
        mask
    }

    #[test]
    fn shapes_cover_what_they_should_across_zero_hours() {
        let count = |text: &str| painted(text).iter().filter(|m| **m).count();
        // Areas in pixels of 10 arcsec; edges cost a few.
        assert!((count("icrs\ncircle(0.05,45,100\")") as f64 - 314.0).abs() < 12.0);
        assert!((count("fk5;box(0:00:12,+45:00:00,200\",100\",0)") as f64 - 200.0).abs() < 32.0);
        // Edges between pixels, where no rounding of the angle can move one in or out.
        assert_eq!(count("image\nbox(33.5,33.5,10,4,90)"), 40);
        assert_eq!(count("image\nbox(33.5,33.5,4,10,0)"), 40);
        assert_eq!(count("image\npolygon(10.5,10.5,20.5,10.5,20.5,20.5,10.5,20.5)"), 100);
        assert_eq!(count("image\ncircle(33,33,5)\n-circle(33,33,5)"), 0);
        // West of the centre by 10 minutes of arc and across 0 h: columns grow to the west.
        let west = painted("icrs\nellipse(359.99,45,60\",20\",0)");
        let columns: Vec<usize> = west.indexed_iter().filter(|(_, m)| **m).map(|((_, x), _)| x).collect();
        assert!(columns.iter().all(|x| *x > 36) && columns.len() > 30);
        // The long axis of 60 arcsec is east-west at angle 0: 13 columns.
        assert!(columns.iter().max().unwrap() - columns.iter().min().unwrap() >= 11);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("circle(1,2,3)", "fk5, icrs or image"),
            ("galactic\ncircle(1,2,3)", "line 1"),
            ("icrs\nblob(1,2,3)", "line 2"),
            ("icrs\ncircle(1,x,3\")", "line 2"),
            ("icrs\ncircle(1,2,-3\")", "line 2"),
            ("# nothing\n", "at least one"),
        ] {
            let error = read_regions(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
