"""What the imager refuses, what it keeps when it is interrupted, and where it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg import _core, imaging
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source
from support.faults import FaultServer, build_shim

SEFD = 800.0
OPTIONS: dict[str, Any] = {"imsize": 512, "cell_arcsec": 4.0, "datacolumn": "data", "sefd_jy": SEFD, "outliers": False}


def centre_deg(dec_deg: float) -> tuple[float, float]:
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), float(np.radians(dec_deg)))
    return float(np.degrees(ra[0])), float(np.degrees(dec[0]))


def observe(root: Path, name: str, *, dec_deg: float = 16.15, channels: int = 4) -> str:
    """Twenty antennas, three integrations, three sources too faint to be fitted."""
    ra0, dec0 = centre_deg(dec_deg)
    sources = [
        Source("a", ra0 + 0.11, dec0 + 0.07, 0.9),
        Source("b", ra0 - 0.2, dec0 - 0.13, 0.5),
        Source("c", ra0 + 0.04, dec0 - 0.21, 0.3),
    ]
    group = simulate_group(
        root / name,
        dec_deg=dec_deg,
        stations=choose_stations(20),
        integrations=3,
        channels=channels,
        sources=sources,
        gains=False,
        sefd_jy=SEFD,
        dead=(),
        seed=4,
    )
    ms = str(root / f"{name}.ms")
    _core.ms.convert(group.files, ms)
    return ms


@pytest.fixture(scope="module")
def ms(tmp_path_factory: pytest.TempPathFactory) -> str:
    return observe(tmp_path_factory.mktemp("refused"), "one")


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"imsize": 16, "cell_arcsec": 1.0}, "beam|imsize"),
        ({"imsize": 16384, "max_memory_gb": 1.0}, "memory"),
        ({"max_memory_gb": 1e-3}, r"memory: 0\.0\d\d GB are needed .* 0\.001 GB are allowed"),
        ({"uvrange": [1e8, 2e8]}, "none within the uv range of 100000000 to 200000000 wavelengths"),
        ({"nthermal": -1.0}, "nthermal"),
        ({"sefd_jy": 0.0}, "sefd_jy: expected a positive number, found 0"),
        ({"auto_mask": -1.0}, "auto_mask: expected zero or more, found -1"),
        ({"bright_sigma": -1.0}, "bright_sigma: expected zero or more, found -1"),
        ({"imsize": 33}, "imsize: expected even numbers of pixels from 2 to 131072, found 33 x 33"),
        ({"epsilon": 1e-9}, "epsilon: expected from 1e-5 to 0.1"),
        ({"mgain": 1.5}, "mgain: expected above 0 and at most 1, found 1.5"),
        ({"cell_arcsec": 1e5}, "cell_arcsec: expected above 0 and at most 3600"),
        ({"model": "MODEL"}, "model: expected 512 x 512"),
        ({"mask": "MODEL"}, "mask: expected 512 x 512"),
    ],
)
def test_one_clear_error_and_no_file(ms: str, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    other = tmp_path / "elsewhere" / "other.fits"
    other.parent.mkdir()
    header = fits.Header(
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 343.0, "CRVAL2": 16.1, "CRPIX1": 33, "CRPIX2": 33}
    )
    header.update({"CDELT1": -0.001, "CDELT2": 0.001, "CUNIT1": "deg", "CUNIT2": "deg"})
    fits.PrimaryHDU(np.zeros((1, 1, 64, 64), np.float32), header).writeto(other)
    change = {key: str(other) if value == "MODEL" else value for key, value in change.items()}
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises((ValueError, OSError, _core.ContimgError), match=words):
        imaging.image(ms, folder / "x", **{**OPTIONS, **change})
    assert left_in(folder) == []


def test_sets_that_do_not_belong_together(ms: str, tmp_path: Path) -> None:
    elsewhere = observe(tmp_path, "elsewhere", dec_deg=33.0)
    with pytest.raises(ValueError, match="phase centres"):
        imaging.image([ms, elsewhere], tmp_path / "x", centre_deg=list(centre_deg(16.15)), **OPTIONS)
    channels = observe(tmp_path, "channels", channels=6)
    with pytest.raises(ValueError, match="frequencies"):
        imaging.image([ms, channels], tmp_path / "x", **OPTIONS)
    with pytest.raises(ValueError, match=r"ms: expected each Measurement Set once, found .* twice"):
        imaging.image([ms, f"{ms}/../{Path(ms).name}"], tmp_path / "x", **OPTIONS)
    assert not [name for name in left_in(tmp_path) if name.endswith(".fits")]


_STEP = """
def step(ms, name):
    from dsa110_contimg import imaging
    imaging.image(ms, name, imsize=256, cell_arcsec=4.0, datacolumn="data", outliers=False, niter=0, subbands=2)
"""


def test_a_full_disk_leaves_no_fits(ms: str, tmp_path: Path) -> None:
    shim = build_shim(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    with FaultServer(shim, _STEP, [ms, folder / "x"], folder) as server:
        whole = server.run()
        assert whole["exit"] == 0, whole
        products = left_in(folder)
        assert whole["count"] > len(products)
        for path in folder.iterdir():
            path.unlink()
        # Every kind of call (write, sync, rename), early, in the middle and near the end.
        for at in sorted({1, 2, 3, whole["count"] // 2, whole["count"] - 3}):
            refused = server.run(fail_at=at)
            assert refused["exit"] == 3, (at, refused)
            assert "x-" in refused["message"] or str(folder) in refused["message"], refused
            # Renames that came before the one that failed are whole files; none is half-written, none is left aside.
            for path in folder.iterdir():
                assert not path.name.startswith("."), (at, path)
                assert np.isfinite(fits.getdata(path)).any()
                path.unlink()


class _StopError(Exception):
    pass


def test_an_interrupt_in_a_major_cycle_keeps_the_model(ms: str, tmp_path: Path) -> None:
    options = {**OPTIONS, "mgain": 0.2, "bright_sigma": 0.0, "nsigma": 1.0, "max_major": 30}
    whole = imaging.image(ms, tmp_path / "whole", **options)
    assert whole["n_major"] > 8
    # Steps before CLEAN: blocks that are read, weights, psf, dirty image. Stop some major cycles later.
    seen: list[int] = []

    def stop(done: int, _total: int) -> None:
        seen.append(done)
        if done >= 16 + 4 + 4:
            raise _StopError

    with pytest.raises(_StopError):
        imaging.image(ms, tmp_path / "cut", progress=stop, **options)
    assert left_in(tmp_path) == sorted({"cut-model.fits", *(Path(p).name for p in whole["products"].values())})
    model, header = fits.getdata(tmp_path / "cut-model.fits", header=True)
    assert header["PARTIAL"] is True
    assert header["NMAJOR"] >= 1
    assert np.abs(model).sum() > 0.3
    again = imaging.image(ms, tmp_path / "again", model=tmp_path / "cut-model.fits", **options)
    assert again["n_major"] < whole["n_major"]
    # Without noise both end where the beam's drift and the spectra that are taken for usual leave 0.1 % of the brightest.
    assert max(again["rms_jy"], whole["rms_jy"]) < 1e-3 * np.abs(model).max()


def test_the_stops(ms: str, tmp_path: Path) -> None:
    deep = {**OPTIONS, "bright_sigma": 0.0, "nsigma": 0.0}
    shallow = imaging.image(ms, tmp_path / "t", nthermal=20.0, **deep)
    assert shallow["outcome"] == "threshold"
    left = np.abs(fits.getdata(shallow["products"]["residual"])).max()
    # What is not in the mask (5 sigma) is below; inside it the last minor cycle stops at the target.
    assert left < 1.2 * 20.0 * shallow["expected_rms_jy"]
    by_hand = imaging.image(ms, tmp_path / "h", threshold_jy=20.0 * shallow["expected_rms_jy"], **deep)
    assert by_hand["iterations"] == shallow["iterations"]
    few = imaging.image(ms, tmp_path / "n", niter=20, **deep)
    assert (few["outcome"], few["iterations"]) == ("iterations", 20)
    dirty = imaging.image(ms, tmp_path / "d", niter=0, **deep)
    assert dirty["outcome"] == "dirty"
