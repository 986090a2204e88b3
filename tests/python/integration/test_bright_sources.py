"""Bright sources anywhere come out exactly, without a mask: drifting beam, spectra, averaging, between pixels."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg import _core, imaging
from dsa110_contimg.cli import main
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source

CELL = 6.0
SEFD = 1500.0


def sky() -> list[Source]:
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(16.15))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    east = 1.0 / math.cos(math.radians(dec0))
    places = (
        ("steep", 0.4 * east, 0.613, 12.0, -1.2),
        ("flat", -0.513 * east, -0.31, 3.0, 0.2),
        ("beyond", 1.9 * east, -0.4, 4.0, -0.7),
    )
    return [Source(name, ra0 + x, dec0 + y, flux, alpha=alpha) for name, x, y, flux, alpha in places]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Source], dict[str, Any]]:
    root = tmp_path_factory.mktemp("bright")
    sources = sky()
    group = simulate_group(
        root / "incoming",
        dec_deg=16.15,
        stations=choose_stations(40),
        integrations=6,
        channels=4,
        sources=sources,
        gains=False,
        sefd_jy=SEFD,
        dead=(),
        seed=11,
    )
    ms = str(root / "group.ms")
    _core.ms.convert(group.files, ms)
    report = imaging.image(
        ms, root / "tile", datacolumn="data", imsize=1080, cell_arcsec=CELL, sefd_jy=SEFD, bright_sigma=200.0
    )
    return ms, sources, report


def test_fluxes_spectra_and_positions(made: tuple[str, list[Source], dict[str, Any]]) -> None:
    _, sources, report = made
    assert report["outcome"] == "threshold", report["cycles"]
    for source in sources[:2]:
        offset = [
            math.hypot(
                (math.degrees(b["position"]["ra_rad"]) - source.ra_deg) * math.cos(math.radians(source.dec_deg)),
                math.degrees(b["position"]["dec_rad"]) - source.dec_deg,
            )
            * 3600.0
            for b in report["bright"]
        ]
        found = report["bright"][int(np.argmin(offset))]
        snr = found["apparent_jy"] / report["expected_rms_jy"]
        # A beam of some 60 arcsec over twice the signal to noise, three times that, and the floor.
        assert min(offset) < 0.05 + 3 * 60.0 / (2 * snr)
        expected = source.flux_jy * (found["freq_hz"] / 1.4e9) ** source.alpha
        # Half a per cent and three sigma of noise.
        assert abs(found["flux_jy"] / expected - 1.0) < 0.005 + 3 / snr
        # The band is 13 %: its rms in ln f is 0.04.
        assert abs(found["alpha"] - source.alpha) < 0.02 + 3 / (0.04 * snr)


def test_the_residual_is_noise_although_a_source_lies_beyond(made: tuple[str, list[Source], dict[str, Any]]) -> None:
    _, sources, report = made
    # The 1.2 and a tenth for a measured rms of some thousand beams.
    assert report["rms_jy"] < 1.3 * report["expected_rms_jy"]
    (outside,) = [s for s in sources if s.name == "beyond"]
    beyond = [
        b
        for b in report["bright"]
        if abs(math.degrees(b["position"]["ra_rad"]) - outside.ra_deg) < 0.01
        and abs(math.degrees(b["position"]["dec_rad"]) - outside.dec_deg) < 0.01
    ]
    assert beyond, "the source outside the image was not found"


def test_left_to_clean_alone_the_noise_is_higher(
    made: tuple[str, list[Source], dict[str, Any]], tmp_path: Path
) -> None:
    ms, _, report = made
    alone = imaging.image(
        ms,
        tmp_path / "a",
        datacolumn="data",
        imsize=1080,
        cell_arcsec=CELL,
        sefd_jy=SEFD,
        bright_sigma=0.0,
        max_major=8,
    )
    assert not alone["bright"]
    assert alone["outcome"] != "diverged"
    assert alone["rms_jy"] > 2 * report["rms_jy"]


def test_dynamic_spectrum_and_source_list(
    made: tuple[str, list[Source], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ms, sources, report = made
    listed = tmp_path / "bright.txt"
    imaging.write_wsclean_list(listed, imaging.bright_sources(report))
    flat = sources[1]
    out = tmp_path / "d.npz"
    words = ["dynspec", ms, "--ra", str(flat.ra_deg), "--dec", str(flat.dec_deg), "--average", "4"]
    assert main([*words, "--datacolumn", "data", "--subtract", str(listed), "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    with np.load(out) as arrays:
        assert arrays["flux_tf_jy"].shape == (6, 16)
        assert np.isfinite(arrays["flux_tf_jy"]).all()
    # Corrected for averaging to a tenth of a per cent; what the others' fits leave; noise three sigma.
    assert abs(found["flux_jy"] / flat.flux_jy - 1.0) < 0.005 + 3 * found["flux_error_jy"] / flat.flux_jy
    # These wide channels lose more than the tolerance.
    assert found["smearing"] < 0.994


def test_snapshots_and_going_on_from_a_model(made: tuple[str, list[Source], dict[str, Any]], tmp_path: Path) -> None:
    ms, _, _ = made
    options: dict[str, Any] = {
        "datacolumn": "data",
        "imsize": 512,
        "cell_arcsec": CELL,
        "outliers": False,
        "bright_sigma": 0.0,
        "products": ["restored", "pbcor", "model"],
    }
    first = imaging.image(ms, tmp_path / "s", snapshots=True, max_major=3, **options)
    assert [s["number"] for s in first["snapshots"]] == list(range(6))
    times = [fits.getheader(s["restored"])["DATE-OBS"] for s in first["snapshots"]]
    assert times == sorted(times)
    assert len(set(times)) == 6
    again = imaging.image(ms, tmp_path / "t", model=first["products"]["model"], max_major=2, **options)
    # It goes on where the first stopped: little is left to do, and nothing is lost.
    assert again["iterations"] < 0.5 * first["iterations"]
    assert again["rms_jy"] < 1.02 * first["rms_jy"]
    with pytest.raises(ValueError, match="model"):
        imaging.image(ms, tmp_path / "u", model=first["products"]["model"], **{**options, "imsize": 640})


def test_missing_windows_bias_no_flux(tmp_path: Path) -> None:
    """Four of the sixteen windows, as of a group that came half: means over the band are over what is there."""
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(33.0))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    source = Source("steep", ra0 - 0.8 / math.cos(math.radians(dec0)), dec0 + 0.55, 8.0, alpha=-2.0)
    group = simulate_group(
        tmp_path / "incoming",
        dec_deg=33.0,
        stations=choose_stations(32),
        integrations=3,
        channels=12,
        subbands=(0, 5, 10, 15),
        sources=[source],
        gains=False,
        sefd_jy=300.0,
        dead=(),
        seed=5,
    )
    ms = str(tmp_path / "group.ms")
    _core.ms.convert(group.files, ms)
    report = imaging.image(
        ms,
        tmp_path / "tile",
        datacolumn="data",
        imsize=720,
        cell_arcsec=10.0,
        sefd_jy=300.0,
        weighting="natural",
        outliers=False,
    )
    found = min(report["bright"], key=lambda b: abs(b["flux_jy"] - 8.0))
    truth = group.truth
    freq_hz = np.asarray(truth["freq_hz"])
    # The other windows of the band are in the table, flagged.
    assert len(freq_hz) == 48
    a, d = math.radians(truth["pointing_ra_deg"]), math.radians(truth["pointing_dec_deg"])
    b, e = math.radians(source.ra_deg), math.radians(source.dec_deg)
    apart = math.acos(math.sin(d) * math.sin(e) + math.cos(d) * math.cos(e) * math.cos(a - b))
    seen = [
        8.0 * (f / 1.4e9) ** -2.0 * float(np.asarray(_core.beam.airy_power(np.array([apart]), f))[0]) for f in freq_hz
    ]
    # The drift of 39 s changes the mean by 1e-4. A comb of every eighth channel of the table met the windows unevenly: 0.9 %.
    assert found["unsmeared_jy"] == pytest.approx(np.mean(seen), rel=2e-3)
    # Channels of 1 MHz at one degree; a comb that met none of the windows saw no smearing at all.
    assert 0.99 < found["apparent_jy"] / found["unsmeared_jy"] < 0.9995
