"""Our Measurement Sets as CASA, pyuvdata, python-casacore and WSClean see them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.simulation import Source, choose_stations, simulate_group

pytestmark = pytest.mark.oracle

START, DEC_DEG = "2026-01-25T22:26:05", 33.0
INTEGRATIONS, CHANNELS = 6, 4
#: Offsets east and north [degrees] and fluxes [Jy]; 1 degree out differential aberration is a third of an arcsec.
OFFSETS = ((0.0, 0.0, 2.0), (0.9, 0.3, 1.5), (-0.5, -0.8, 1.0))
CELL_ARCSEC, SIZE = 4.0, 2400


def _middle() -> tuple[float, float, float]:
    from dsa110_contimg.simulation.group import mjd_seconds

    middle = mjd_seconds(START) + 0.5 * INTEGRATIONS * 12.884901888
    ra, dec = _core.coords.meridian_icrs(np.array([middle]), np.radians(DEC_DEG))
    return middle, float(ra[0]), float(dec[0])


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    _, ra, dec = _middle()
    found = []
    for k, (east, north, flux) in enumerate(OFFSETS):
        dec_deg = np.degrees(dec) + north
        ra_deg = np.degrees(ra) + east / np.cos(np.radians(dec_deg))
        found.append(Source(f"S{k}", float(ra_deg % 360.0), float(dec_deg), flux, 0.0))
    return found


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory, sources: list[Source]) -> list[Path]:
    made = simulate_group(
        tmp_path_factory.mktemp("group"),
        start=START,
        dec_deg=DEC_DEG,
        sources=sources,
        stations=choose_stations(40),
        integrations=INTEGRATIONS,
        channels=CHANNELS,
        beam="none",
        smear=False,
    )
    return list(made.files)


@pytest.fixture(scope="module")
def drifting(group: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ms") / "drift.ms"
    _core.ms.convert(group, path)
    return path


@pytest.fixture(scope="module")
def shared(group: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ms") / "shared.ms"
    _core.ms.convert(group, path, phase_center="shared")
    return path


def test_casa_lists_and_images(group: list[Path], tmp_path: Path) -> None:
    casatasks = pytest.importorskip("casatasks")
    # CASA does not know DSA_110: the name of its site is an option of the conversion.
    drift, copy = tmp_path / "d.ms", tmp_path / "t.ms"
    _core.ms.convert(group, drift, telescope_name="OVRO_MMA")
    _core.ms.convert(group, copy, telescope_name="OVRO_MMA", phase_center="shared")
    listed = casatasks.listobs(str(drift), listfile=str(tmp_path / "list.txt"))
    assert listed["nfields"] == INTEGRATIONS
    text = (tmp_path / "list.txt").read_text()
    assert "meridian_icrs_t0" in text
    assert "OVRO_MMA" in text
    casatasks.tclean(
        vis=str(copy),
        imagename=str(tmp_path / "t"),
        datacolumn="data",
        imsize=256,
        cell="6arcsec",
        specmode="mfs",
        gridder="standard",
        niter=0,
        stokes="I",
        calcpsf=True,
    )
    from casatools import image as image_tool

    tool = image_tool()
    tool.open(str(tmp_path / "t.residual"))
    peak = tool.getchunk()[:, :, 0, 0]
    tool.close()
    # The central source of 2 Jy; the others' sidelobes in an unweighted dirty image reach some ten per cent.
    x, y = np.unravel_index(np.argmax(peak), peak.shape)
    assert (x, y) == (128, 128)
    assert peak[x, y] == pytest.approx(2.0, rel=0.25)


def test_python_casacore_reads_every_subtable(drifting: Path) -> None:
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(drifting), ack=False) as main:
        assert main.nrows() == 16 * INTEGRATIONS * 40 * 41 // 2
        names = [
            n for n in main.getkeywords() if isinstance(main.getkeyword(n), str) and "Table:" in main.getkeyword(n)
        ]
        assert len(names) >= 12
        assert not main.getcol("MODEL_DATA", 0, 100).any()
    for name in names:
        with tables.table(f"{drifting}::{name}", ack=False) as sub:
            for column in sub.colnames():
                if sub.nrows() and sub.iscelldefined(column, 0):
                    sub.getcell(column, 0)


def _fit(image: np.ndarray, x: float, y: float, beam_px: float) -> tuple[float, float, float]:
    """Peak and position of a Gaussian about a predicted pixel."""
    from scipy.optimize import curve_fit

    half = max(2, int(0.5 * beam_px))
    i, j = round(y), round(x)
    rows, columns = np.mgrid[i - half : i + half + 1, j - half : j + half + 1]
    box = image[i - half : i + half + 1, j - half : j + half + 1]

    def gaussian(_: object, peak: float, cx: float, cy: float, a: float, b: float, c: float) -> np.ndarray:
        dx, dy = columns - cx, rows - cy
        return (peak * np.exp(-(a * dx**2 + b * dx * dy + c * dy**2))).ravel()

    k = 4 * np.log(2) / beam_px**2
    found, _ = curve_fit(gaussian, None, box.ravel(), p0=[box.max(), x, y, k, 0.0, k])
    return float(found[0]), float(found[1]), float(found[2])


def test_wsclean_puts_sources_where_they_are(shared: Path, sources: list[Source], tmp_path: Path) -> None:
    if shutil.which("wsclean") is None:
        pytest.skip("wsclean is not installed")
    from astropy.io import fits

    command = ["wsclean", "-name", str(tmp_path / "w"), "-size", str(SIZE), str(SIZE), "-scale", f"{CELL_ARCSEC}asec"]
    command += [
        "-weight",
        "briggs",
        "0.5",
        "-niter",
        "2000",
        "-mgain",
        "0.7",
        "-gain",
        "0.1",
        "-threshold",
        "0.002",
    ]
    command += [
        "-data-column",
        "DATA",
        "-use-wgridder",
        "-no-update-model-required",
        "-pol",
        "I",
        "-temp-dir",
        str(tmp_path),
    ]
    command += ["-auto-mask", "8", "-auto-threshold", "2", str(shared)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with fits.open(tmp_path / "w-image.fits") as hdus:
        image, header = np.squeeze(hdus[0].data), hdus[0].header
    middle, ra, dec = _middle()
    centre = (float(np.radians(header["CRVAL1"])), float(np.radians(header["CRVAL2"])))
    # The phase centre that WSClean read is ours (its cards are rounded).
    d_ra = (centre[0] - ra + np.pi) % (2 * np.pi) - np.pi
    assert np.hypot(d_ra * np.cos(dec), centre[1] - dec) < np.radians(0.05 / 3600)
    beam_px = 3600 * np.sqrt(header["BMAJ"] * header["BMIN"]) / CELL_ARCSEC
    cell = np.radians(CELL_ARCSEC / 3600)
    for source in sources:
        # WSClean's grid is that of the uvw: apparent direction cosines, which hold the differential aberration.
        lmn = np.ravel(
            _core.coords.apparent_lmn(
                middle, centre, np.radians(np.array([source.ra_deg])), np.radians(np.array([source.dec_deg]))
            )
        )
        x, y = header["CRPIX1"] - 1 - lmn[0] / cell, header["CRPIX2"] - 1 + lmn[1] / cell
        peak, cx, cy = _fit(image, x, y, beam_px)
        assert CELL_ARCSEC * np.hypot(cx - x, cy - y) < 0.05, source
        assert peak == pytest.approx(source.flux_jy, rel=0.005), source


ORDERS = {
    "ours first": "import dsa110_contimg._core as core; import casatools, casatasks, casacore.tables, h5py",
    "ours last": "import h5py, casacore.tables, casatasks, casatools; import dsa110_contimg._core as core",
}


@pytest.mark.parametrize("order", ORDERS)
def test_one_process_with_casa_casacore_and_h5py(order: str, drifting: Path, group: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("casatasks")
    pytest.importorskip("casacore.tables")
    copy = tmp_path / "one.ms"
    shutil.copytree(drifting, copy)
    code = f"""
{ORDERS[order]}
import numpy as np
path, uvh5 = {str(copy)!r}, {str(group[0])!r}
with h5py.File(uvh5) as f:
    shape = f["Data/visdata"].shape
assert core.uvh5.read_header(uvh5)["rows"] == shape[0]
before = core.ms.read(path, 0)["flag_rfp"].sum()
t = casacore.tables.table(path, readonly=False, ack=False)
flags = t.getcol("FLAG", 0, 10); flags[:] = True; t.putcol("FLAG", flags, 0, 10); t.close()
after = core.ms.read(path, 0)["flag_rfp"].sum()
assert after > before, (before, after)
tb = casatools.table(); tb.open(path); seen = int(tb.getcol("FLAG", 0, 10).sum()); tb.close()
assert seen == flags.size, seen
core.flagging.save_version(path, "mine")
casatasks.flagdata(vis=path, mode="unflag", flagbackup=False)
assert core.ms.read(path, 0)["flag_rfp"].sum() == 0
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
