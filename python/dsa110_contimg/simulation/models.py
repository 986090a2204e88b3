"""Sources and light curves as plain data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class _LightCurve:
    """Common part of the light curves."""

    def as_dict(self) -> dict[str, Any]:
        """The form in which the core and the truth files hold it."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}

    def factor(self, mjd: Sequence[float], freq_hz: float = 1.4e9) -> NDArray[np.float64]:
        """Flux over the quiet flux at times (MJD, days) and one frequency (Hz)."""
        import numpy as np

        from dsa110_contimg._core import simulate

        return simulate.light_curve(json.dumps(self.as_dict()), np.asarray(mjd, dtype=np.float64), freq_hz)


@dataclass(frozen=True)
class Dip(_LightCurve):
    """Achromatic Gaussian dip: ``1 - depth exp(-4 ln2 (t - t0)^2 / fwhm^2)`` (days, fraction of the flux)."""

    t0_mjd: float
    fwhm_days: float = 35.0
    depth: float = 0.4


@dataclass(frozen=True)
class Flare(_LightCurve):
    """Linear rise to ``1 + amplitude`` times the quiet flux, exponential decay (days)."""

    t0_mjd: float
    rise_days: float = 2.0
    decay_days: float = 10.0
    amplitude: float = 1.0


@dataclass(frozen=True)
class Lens(_LightCurve):
    """Gaussian plasma lens (Clegg, Fey & Lazio 1998): strength ``alpha`` at `reference_hz`, as wavelength squared.

    `crossing_days` is the time to cross one lens width; `source_sigma` the source's size in lens widths. On the axis
    of a weak lens a point source falls to ``1 / (1 + alpha)``.
    """

    t0_mjd: float
    crossing_days: float = 20.0
    alpha: float = 2.0 / 3.0
    reference_hz: float = 1.4e9
    source_sigma: float = 0.1

    def as_dict(self) -> dict[str, Any]:
        """The form in which the core and the truth files hold it."""
        lens = {"alpha": self.alpha, "reference_hz": self.reference_hz, "source_sigma": self.source_sigma}
        return {"kind": "lens", "t0_mjd": self.t0_mjd, "crossing_days": self.crossing_days, "lens": lens}


@dataclass(frozen=True)
class Periodic(_LightCurve):
    """``1 + amplitude sin(2 pi (t - t0) / period)`` (days)."""

    t0_mjd: float
    period_days: float
    amplitude: float


@dataclass(frozen=True)
class Source:
    """An unpolarised source (XX = YY = I): ICRS degrees, Jy at 1.4 GHz, ``S ~ f^alpha``, widths in arcsec."""

    name: str
    ra_deg: float
    dec_deg: float
    flux_jy: float
    alpha: float = 0.0
    major_arcsec: float = 0.0
    minor_arcsec: float = 0.0
    pa_deg: float = 0.0
    variability: Dip | Flare | Lens | Periodic | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form in which the core and the truth files hold it."""
        plain = {key: value for key, value in vars(self).items() if key != "variability"}
        return {**plain, "variability": self.variability.as_dict() if self.variability else None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Source:
        """The inverse of :meth:`as_dict`."""
        values = dict(values)
        curve = values.pop("variability", None)
        return cls(**values, variability=_light_curve(curve) if curve else None)


def _light_curve(values: dict[str, Any]) -> Dip | Flare | Lens | Periodic:
    values = dict(values)
    kind = values.pop("kind")
    if kind == "lens":
        values.update(values.pop("lens"))
    made = {"dip": Dip, "flare": Flare, "lens": Lens, "periodic": Periodic}[kind](**values)
    assert isinstance(made, Dip | Flare | Lens | Periodic)  # noqa: S101
    return made
