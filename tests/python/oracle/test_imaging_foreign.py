"""A tracking array simulated by CASA: another telescope, its own w, no smearing, imaged by us."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import imaging
from dsa110_contimg.photometry.forced import measure_forced_peak

pytestmark = pytest.mark.oracle

SOURCES = ((12.5 / 60.0, 34.05, 2.0), (360.0 - 2.5 / 60.0, 34.0 - 2.0 / 60.0, 1.0))


@pytest.fixture(scope="module")
def ms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    casatools = pytest.importorskip("casatools")
    path = tmp_path_factory.mktemp("foreign") / "vla.ms"
    sm, me, cl = casatools.simulator(), casatools.measures(), casatools.componentlist()
    x, y = np.random.default_rng(1).uniform(-1500, 1500, (2, 20))
    sm.open(str(path))
    sm.setconfig(
        telescopename="VLA",
        x=list(x),
        y=list(y),
        z=[0.0] * 20,
        dishdiameter=[25.0] * 20,
        mount=["alt-az"],
        antname=[f"A{i}" for i in range(20)],
        coordsystem="local",
        referencelocation=me.observatory("VLA"),
    )
    width = "2MHz"
    sm.setspwindow(spwname="L", freq="1.4GHz", deltafreq=width, freqresolution=width, nchannels=8, stokes="XX YY")
    sm.setfeed(mode="perfect X Y", pol=[""])
    sm.setfield(sourcename="f", sourcedirection=me.direction("J2000", "0h0m20s", "34d00m00s"))
    epoch = me.epoch("UTC", "2026/01/25/00:00:00")
    sm.settimes(integrationtime="30s", usehourangle=True, referencetime=epoch)
    sm.observe("f", "L", starttime="-600s", stoptime="600s")
    for ra, dec, flux in SOURCES:
        place = me.direction("J2000", f"{ra}deg", f"{dec}deg")
        cl.addcomponent(dir=place, flux=flux, fluxunit="Jy", freq="1.4GHz", shape="point")
    components = str(path.with_suffix(".cl"))
    cl.rename(components)
    cl.done()
    sm.predict(complist=components)
    sm.close()
    return path


def test_its_sources_are_where_it_put_them(ms: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="VLA"):
        imaging.image(ms, tmp_path / "a", imsize=512, cell_arcsec=2.0, datacolumn="data")
    report = imaging.image(
        ms,
        tmp_path / "a",
        imsize=512,
        cell_arcsec=2.0,
        weighting="natural",
        datacolumn="data",
        # A beam of 25 degrees: CASA put none on.
        dish_diameter_m=0.5,
        outliers=False,
    )
    assert report["outcome"] == "threshold"
    # No noise was put in: what is left are the uv coordinates of CASA's Earth orientation and ours, parts of 1e-5.
    assert report["rms_jy"] < 1e-3
    for ra, dec, flux in SOURCES:
        found = min(
            report["bright"],
            key=lambda b: abs(math.remainder(math.degrees(b["position"]["ra_rad"]) - ra, 360.0)),
        )
        east = math.remainder(math.degrees(found["position"]["ra_rad"]) - ra, 360.0) * math.cos(math.radians(dec))
        north = math.degrees(found["position"]["dec_rad"]) - dec
        # Were phases turned by CASA's w against ours, all would move by its error of UT1, half an arcsec and more.
        assert 3600.0 * math.hypot(east, north) < 0.1
        # CASA averages nothing, we correct for 30 s and 2 MHz: 0.1 % at six arcmin, and 1 beyond it for the fit.
        assert found["flux_jy"] == pytest.approx(flux, rel=2e-3)
        forced = measure_forced_peak(report["products"]["pbcor"], ra, dec)
        assert forced.peak_jyb == pytest.approx(flux, rel=2e-3)
