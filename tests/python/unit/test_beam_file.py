"""Files of a primary beam: what astropy and h5py write is what the imager multiplies by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg import ContimgError, _core
from dsa110_contimg.beam import cli, describe
from dsa110_contimg.cli import main

FREQS = np.array([1.3e9, 1.4e9, 1.5e9])
N = 401
CELL_DEG = 0.02


def airy(theta_rad: np.ndarray, freq_hz: float) -> np.ndarray:
    return np.asarray(_core.beam.airy_power(np.ascontiguousarray(theta_rad), freq_hz))


def write_fits(path: Path, *, unit: str = "deg", scale: float = 1.0, freqs: np.ndarray = FREQS) -> Path:
    """The Airy beam in the frame of the dish, its axis half a pixel off the middle."""
    cell = np.radians(CELL_DEG)
    x = (np.arange(N) - 200.5) * cell
    theta = np.hypot(x[:, None], x[None])
    cube = scale * np.array([airy(theta.ravel(), f).reshape(N, N) for f in freqs])
    head = fits.Header()
    step = CELL_DEG if unit == "deg" else cell
    for axis, name in ((1, "AZ"), (2, "EL")):
        head[f"CTYPE{axis}"], head[f"CUNIT{axis}"] = name, unit
        head[f"CRPIX{axis}"], head[f"CRVAL{axis}"], head[f"CDELT{axis}"] = 201.5, 0.0, step if axis == 2 else -step
    head["CTYPE3"], head["CUNIT3"] = "FREQ", "MHz"
    head["CRPIX3"], head["CRVAL3"], head["CDELT3"] = 2.0, 1400.0, 100.0
    fits.PrimaryHDU(cube.astype(np.float32), head).writeto(path)
    return path


@pytest.mark.parametrize("unit", ["deg", "rad"])
def test_a_fits_cube_of_the_airy_beam_is_the_airy_beam(tmp_path: Path, unit: str) -> None:
    report = describe(write_fits(tmp_path / "beam.fits", unit=unit))
    assert report["freq_hz"] == pytest.approx(FREQS)
    assert report["airy_diameter_m"] == pytest.approx([4.65] * 3, rel=1e-4)
    radius = np.radians(report["radius_deg"])
    for freq, power in zip(FREQS, report["power_fs"], strict=True):
        # Catmull-Rom at 0.02 deg: h^3 f''' / 10 of a beam 2.7 deg wide, below 1e-5; single precision beside it.
        assert np.abs(np.asarray(power) - airy(radius, freq)).max() < 3e-5
    assert report["asymmetry"] < 1e-4


def test_electric_fields_as_the_array_has_them(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "beam.h5"
    theta, phi = np.arange(0.0, 90.1, 0.1), np.arange(0.0, 361.0, 5.0)
    with h5py.File(path, "w") as file:
        # The unit is wrong in the array's file too.
        file["freq_Hz"] = FREQS / 1e6
        file["theta_pts"], file["phi_pts"] = theta, phi
        for group, gain in (("X_pol_Efields", 3.0), ("Y-pol_Efields", 1.0)):
            field = np.sqrt([airy(np.radians(theta), f) for f in FREQS])
            cos = np.cos(np.radians(phi))
            for name, share in (("etheta", cos), ("ephi", np.sqrt(1 - cos**2))):
                file[f"{group}/{name}"] = gain * np.exp(0.7j) * field[:, :, None] * share
    report = describe(path)
    assert report["airy_diameter_m"] == pytest.approx([4.65] * 3, rel=1e-4)
    assert report["reach_deg"] == pytest.approx(90.0)


def test_what_is_no_power_of_one_on_the_axis_is_refused(tmp_path: Path) -> None:
    plane = write_fits(tmp_path / "a.fits", freqs=FREQS[:1])
    with fits.open(plane, mode="update") as file:
        for key in ("CTYPE3", "CUNIT3", "CRPIX3", "CRVAL3", "CDELT3"):
            del file[0].header[key]
    with pytest.raises(ContimgError, match="FREQ"):
        describe(plane)
    decibels = tmp_path / "db.fits"
    with fits.open(write_fits(tmp_path / "b.fits")) as file:
        file[0].data = 10 * np.log10(np.maximum(file[0].data, 1e-6)) - 20
        file.writeto(decibels)
    with pytest.raises(ContimgError, match="axis"):
        describe(decibels)
    off_axis = tmp_path / "off.fits"
    with fits.open(write_fits(tmp_path / "c.fits")) as file:
        file[0].header["CRPIX1"] = 100.0
        file.writeto(off_axis)
    with pytest.raises(ContimgError, match="not dB"):
        describe(off_axis)
    with pytest.raises(FileNotFoundError):
        describe(tmp_path / "none.fits")
    short = tmp_path / "short.fits"
    short.write_bytes((tmp_path / "c.fits").read_bytes()[:30_000])
    with pytest.raises(ContimgError, match="bytes"):
        describe(short)


def test_the_command_shows_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_fits(tmp_path / "beam.fits")
    assert main(["beam", str(path), "--plot", str(tmp_path / "beam.png"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fwhm_deg"][1] == pytest.approx(2.71, abs=0.01)
    assert (tmp_path / "beam.png").read_bytes().startswith(b"\x89PNG")
    assert main(["beam", str(path)]) == 0
    assert "1.4000" in capsys.readouterr().out


def test_the_originals_command_refuses_an_existing_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_fits(tmp_path / "beam.fits")
    assert cli.main(["--h5", str(path), "--out", str(tmp_path)]) == 1
    assert "expected a new name" in capsys.readouterr().err
    assert cli.main(["--h5", str(tmp_path / "no.h5"), "--out", str(tmp_path / "x.vp")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
