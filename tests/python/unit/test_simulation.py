"""Synthetic groups: against an independent simulator, and the laws of files, truth and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.cli.app import main
from dsa110_contimg.simulation import (
    CampaignSizes,
    Dip,
    Flare,
    Lens,
    Periodic,
    Source,
    campaign,
    choose_stations,
    make_synthetic_uvh5,
    random_sky,
    read_sky,
    simulate_group,
    validate_synthetic,
)

GOLDEN = Path(__file__).parents[2] / "data" / "golden_group"

SMALL: dict[str, Any] = {"stations": [1, 51, 102, 108], "integrations": 2, "subbands": (2, 7), "channels": 6}
SKY = [Source("A", 343.3, 16.2, 2.0, -0.7), Source("B", 342.8, 15.7, 0.5)]


def vis(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return np.asarray(file["Data/visdata"][:, 0])


def test_an_independent_simulator_is_reproduced(tmp_path: Path) -> None:
    truth = json.loads((GOLDEN / "truth.json").read_text())
    with np.load(GOLDEN / "golden.npz") as golden:
        half = 0.5 * truth["integration_time_s"]
        made = simulate_group(
            tmp_path,
            start=(truth["times_jd"][0] - 2_400_000.5) * 86_400.0 - half,
            dec_deg=truth["dec_deg"],
            stations=truth["stations"],
            integrations=6,
            interval_s=truth["integration_time_s"],
            subbands=(0, 15),
            smear=False,
            sources=[
                Source(str(k), s["ra_deg"], s["dec_deg"], s["flux_jy_1400"], s["alpha"])
                for k, s in enumerate(truth["sources"])
            ],
            gains=(
                np.ascontiguousarray(golden["bandpass_apf"], dtype=np.complex128),
                np.ascontiguousarray(golden["gain_apt"], dtype=np.complex128),
            ),
        )
        rows, channels = golden["rows"], golden["channels"]
        for path, subband in zip(made.files, (0, 15), strict=True):
            want = golden[f"vis_sb{subband:02d}"]
            got = vis(path)[rows][:, channels]
            # What was asked of the simulator: 1e-4 of the peak, here that of the kept values.
            assert np.abs(got - want).max() < 1e-4 * np.abs(want).max()
            with h5py.File(path) as file:
                header = file["Header"]
                assert np.array_equal(header["freq_array"][0][channels], golden[f"freq_sb{subband:02d}"])
                assert np.array_equal(header["ant_1_array"][()][rows], golden["ant_1_array"])
                assert np.array_equal(header["ant_2_array"][()][rows], golden["ant_2_array"])
                # The file holds float32 metres: half a unit of 2^-13 at 2 km.
                assert np.abs(header["uvw_array"][()][rows] - golden["uvw_array"]).max() < 2e-4
                # A double holds a Julian Date to 40 microseconds.
                assert np.abs(header["time_array"][()][rows] - golden["time_array"]).max() * 86_400 < 1e-4


def test_files_have_the_correlators_layout(tmp_path: Path) -> None:
    made = simulate_group(tmp_path, sources=SKY, **SMALL, name_jitter_s=3, seed=4)
    assert [path.name[19:] for path in made.files] == ["_sb02.hdf5", "_sb07.hdf5"]
    assert made.group == "2026-01-25T22:26:05"
    with h5py.File(made.files[0]) as file:
        header = file["Header"]
        assert header["Nants_data"][()] == 4
        assert header["Nants_telescope"][()] == 117
        assert header["Nblts"][()] == 20
        assert header["Nbls"][()] == 10
        assert header["Ntimes"][()] == 2
        assert file["Data/visdata"].shape == (20, 1, 6, 2)
        assert not file["Data/flags"][()].any()
        # 96 samples of 8 raw channels, 8 channels wide.
        assert (file["Data/nsamples"][()] == 768 * 8).all()
        assert np.all(np.diff(header["freq_array"][0]) < 0)
        assert header["channel_width"][()] == pytest.approx(8 * 244_140.625)
        assert header["extra_keywords/phase_center_dec"][()] == pytest.approx(np.radians(16.15))
        assert header["extra_keywords/phase_center_epoch"][()] == b"HADEC"
        assert list(header["antenna_diameters"][:2]) == [4.65, 4.65]
        start = (header["time_array"][0] - 2_460_000.5) * 86_400
        assert header["time_array"].dtype == np.float64
        assert header["integration_time"][0] == pytest.approx(12.8849, abs=1e-4)
        assert start == pytest.approx((61_065 - 60_000) * 86_400 + 80_765 + 0.5 * 12.884901888, abs=1e-3)
    assert validate_synthetic.main([str(tmp_path)]) == 0


def test_truth_says_what_went_in(tmp_path: Path) -> None:
    made = simulate_group(tmp_path, sources=SKY, gains=True, sefd_jy=6500.0, dead=[51], **SMALL)
    truth = json.loads(made.truth_path.read_text())
    assert truth == made.truth
    assert truth["stations"] == SMALL["stations"]
    assert truth["params"]["dead"] == [51]
    assert [path.name for path in made.files] == truth["files"]
    assert truth["sources"][0]["flux_1400_jy"] == 2.0
    assert 0.9 < truth["sources"][0]["beam"] < 1.0
    bandpass = np.load(made.truth_path.parent / f"{made.group}_bandpass_apf.npy")
    gain = np.load(made.truth_path.parent / f"{made.group}_gain_apt.npy")
    assert bandpass.shape == (4, 2, 12)
    assert gain.shape == (4, 2, 2)
    assert bandpass.dtype == np.complex128
    clean = simulate_group(tmp_path / "clean", sources=SKY, **SMALL)
    noisy = simulate_group(tmp_path / "gains", sources=SKY, gains=(bandpass, gain), **SMALL)
    # Subband 2 is the higher one: its channels come last in ascending order and first in the file. Row 1 is (0, 1).
    factor = np.conj(bandpass[0, :, :5:-1] * gain[0, :, :1]) * bandpass[1, :, :5:-1] * gain[1, :, :1]
    assert np.allclose(vis(noisy.files[0])[1], vis(clean.files[0])[1] * factor.T, rtol=1e-5)


def test_everything_random_follows_the_seed(tmp_path: Path) -> None:
    def run(name: str, **changes: Any) -> np.ndarray:
        values = {"sources": SKY, "gains": True, "sefd_jy": 6500.0, "rfi": {"random": 3, "strength_jy": [9.0, 90.0]}}
        return vis(simulate_group(tmp_path / name, **{**values, **SMALL, **changes}).files[0])

    first = run("a", seed=7)
    assert np.array_equal(first, run("b", seed=7))
    assert not np.array_equal(first, run("c", seed=8))
    assert not np.array_equal(first, run("d", seed=7, epoch=1))


def test_light_curves_reach_the_data(tmp_path: Path) -> None:
    mid = 61_065 + (80_765 + 12.885) / 86_400
    lens = Source("L", 343.3, 16.2, 2.0, variability=Lens(mid, 20.0, 2 / 3, 1.4e9, 0.0))
    made = simulate_group(tmp_path / "lens", sources=[lens], **SMALL)
    quiet = simulate_group(tmp_path / "quiet", sources=[Source("L", 343.3, 16.2, 2.0)], **SMALL)
    with h5py.File(made.files[0]) as file:
        freq = file["Header/freq_array"][0]
    # On the axis a point falls to 1 / (1 + alpha), alpha as wavelength squared: chromatic.
    want = 1 / (1 + 2 / 3 * (1.4e9 / freq) ** 2)
    assert np.allclose(vis(made.files[0])[1, :, 0] / vis(quiet.files[0])[1, :, 0], want, rtol=1e-4)
    assert Dip(0.0, 30.0, 0.4).factor([0.0, 15.0, 300.0]) == pytest.approx([0.6, 0.8, 1.0])
    assert Flare(0.0, 2.0, 5.0, 3.0).factor([-3.0, -1.0, 0.0]) == pytest.approx([1.0, 2.5, 4.0])
    assert Periodic(0.0, 4.0, 0.2).factor([1.0]) == pytest.approx([1.2])
    for curve in (lens.variability, Dip(1.0), Flare(2.0), Periodic(0.0, 1.0, 0.1), None):
        source = Source("x", 1.0, 2.0, 3.0, variability=curve)
        assert Source.from_dict(json.loads(json.dumps(source.as_dict()))) == source


def test_what_is_wrong_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("channels", {"channels": 7}),
        ("subbands", {"subbands": (2, 2)}),
        ("station", {"stations": [1, 999]}),
        ("dec_deg", {"dec_deg": 123.0}),
        ("start", {"start": "yesterday"}),
        ("gaussian", {"beam": "gaussian"}),
        ("amp_rm", {"gains": {"amp_rm": 0.1}}),
        ("bandpass_apf", {"gains": (np.ones((4, 2, 5), complex), np.ones((4, 2, 2), complex))}),
        ("S", {"sources": [Source("S", 0.0, 95.0, 1.0)]}),
        ("depth", {"sources": [Source("S", 0.0, 5.0, 1.0, variability=Dip(0.0, 30.0, 1.5))]}),
    ]
    for word, changes in cases:
        with pytest.raises((ValueError, TypeError), match=word):
            simulate_group(tmp_path / "bad", **{"sources": SKY, **SMALL, **changes})
    assert not list(tmp_path.rglob("*.hdf5"))
    made = simulate_group(tmp_path / "there", sources=SKY, **SMALL)
    before = made.files[1].read_bytes()
    made.files[0].unlink()
    with pytest.raises(FileExistsError, match="_sb07"):
        simulate_group(tmp_path / "there", sources=SKY, **SMALL)
    assert not made.files[0].exists()
    assert made.files[1].read_bytes() == before
    again = simulate_group(tmp_path / "there", sources=SKY, replace=True, **SMALL)
    assert all(path.exists() for path in again.files)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        simulate_group(tmp_path / "file", sources=SKY, **SMALL)


def test_an_interrupt_leaves_no_part_of_the_group(tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_group(tmp_path, sources=random_sky(count=200), integrations=24, channels=48, progress=stop)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_skies_are_drawn_and_read(tmp_path: Path) -> None:
    sky = random_sky(count=30, ra_deg=0.0, dec_deg=54.0, radius_deg=1.0, min_separation_arcmin=3.0, seed=2)
    assert sky == random_sky(count=30, ra_deg=0.0, dec_deg=54.0, radius_deg=1.0, min_separation_arcmin=3.0, seed=2)
    assert any(s.ra_deg > 350 for s in sky)
    assert any(s.ra_deg < 10 for s in sky)
    with pytest.raises(ValueError, match="radius"):
        random_sky(radius_degrees=1.0)
    path = tmp_path / "sky.csv"
    path.write_text("name,ra_deg,dec_deg,flux_jy,alpha,size_arcsec\nX,10,20,0.5,-0.8,12\n")
    assert read_sky(path) == [Source("X", 10.0, 20.0, 0.5, -0.8, 12.0, 12.0)]
    path.write_text("ra,dec\n1,2\n")
    with pytest.raises(ValueError, match="ra_deg"):
        read_sky(path)


def test_stations_cover_all_arms() -> None:
    for count in (1, 2, 5, 28, 96):
        chosen = choose_stations(count)
        assert len(set(chosen)) == count == len(chosen)
    assert {s > 102 for s in choose_stations(12)} == {True, False}
    with pytest.raises(ValueError, match="96"):
        choose_stations(97)


def test_a_campaign_has_one_dip_one_flare_and_a_day_without_calibrator(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    sizes = CampaignSizes(antennas=5, integrations=2, subbands=(0, 9), channels=2)
    made = campaign(
        tmp_path,
        epochs=4,
        cadence_days=20,
        n_sources=6,
        sizes=sizes,
        days_without_calibrator=(2,),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (4, 4)
    assert [record["calibrator"] is None for record in made.epochs] == [False, False, True, False]
    assert len(list(tmp_path.glob("*.hdf5"))) == 2 * 7
    kinds = {s.name: type(s.variability) for s in made.sources if s.variability}
    assert kinds == {made.ese: Lens, made.flare: Flare}
    stored = json.loads((tmp_path / "campaign.json").read_text())
    assert stored["ese"] == made.ese
    assert len(stored["epochs"]) == 4
    middle = json.loads((tmp_path / "truth" / f"{made.epochs[2]['target']}.json").read_text())
    dipped = next(s for s in middle["sources"] if s["name"] == made.ese)
    # The lens is asked for a point source; this one, 0.05 lens widths across, is dimmed 0.001 less.
    assert dipped["factor"] == pytest.approx(0.6, abs=2e-3)
    # Every target is seen at its transit: starts have whole seconds, half a second of time is 0.002 deg.
    assert middle["pointing_ra_deg"] == pytest.approx(150.0, abs=0.005)
    with pytest.raises(ValueError, match="epoch"):
        campaign(tmp_path, epochs=0)


def test_the_command_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--stations", "1,51,103", "--integrations", "1", "--subbands", "0-1", "--channels", "2", "--cal-flux", "5"]
    assert main(["simulate", str(tmp_path), *sizes, "--n-sources", "3", "--rfi", "2", "--json"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["antennas"] == 3
    assert payload["sources"] == 4
    assert len(payload["files"]) == 2
    assert main(["simulate", str(tmp_path), *sizes]) == 1
    assert "exist" in capsys.readouterr().err.lower()
    assert main(["simulate", str(tmp_path / "x"), "--subbands", "a"]) == 1


def test_the_originals_command_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--output",
        str(tmp_path),
        "--subbands",
        "2",
        "--nants",
        "3",
        "--ntimes",
        "2",
        "--flux-jy",
        "4",
        "--dec-deg",
        "20",
    ]
    assert make_synthetic_uvh5.main([*words, "--start-time", "2025-01-01T00:00:00"]) == 0
    files = [Path(line) for line in capsys.readouterr().out.split()]
    assert [f.name for f in files] == ["2025-01-01T00:00:00_sb00.hdf5", "2025-01-01T00:00:00_sb01.hdf5"]
    # At the phase centre the amplitude is the flux, in both products: within the drift of half an integration.
    assert np.allclose(np.abs(vis(files[0])), 4.0, rtol=1e-3)
    assert make_synthetic_uvh5.main(words) == 1
    (tmp_path / "broken.hdf5").write_bytes(b"not HDF5")
    assert validate_synthetic.main([str(tmp_path)]) == 1


def test_the_core_refuses_unknown_parameters(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="integration"):
        _core.simulate.group('{"integration": 3}', tmp_path)
    with pytest.raises(ValueError, match="both"):
        _core.simulate.group("{}", tmp_path, bandpass_apf=np.ones((1, 2, 1), complex))
    with pytest.raises(TypeError, match="bandpass_apf"):
        _core.simulate.group("{}", tmp_path, bandpass_apf=np.ones((1, 2, 1)), gain_apt=np.ones((1, 2, 1), complex))
