"""Gains that the simulator put in come back within their quoted errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dsa110_contimg import _core
from dsa110_contimg.calibration import caltables, sky, stages
from support.modules import unit_test_module

made = unit_test_module("test_calibration", called="unit_test_calibration_accuracy_made")


def test_amplitudes_scatter_about_the_truth_as_their_errors_say(tmp_path: Path) -> None:
    files = made.simulate(tmp_path, sefd_jy=20.0, dead=[])
    ms = tmp_path / "cal.ms"
    _core.ms.convert(files, ms, expected_subbands=2, checksums=False)
    stages.flag(ms)
    common = {"model": sky.from_csv(tmp_path / "sky.csv", smear=False), "combine": "scan,field", "refant": "103"}
    band = stages.solve(ms, tmp_path / "b", "B", **common)["table"]
    gain = stages.solve(ms, tmp_path / "g", "G", solint="int", gaintable=[band], **common)["table"]
    truth_band, truth_gain = made.truth_gains()
    bands, gains = caltables.read(band), caltables.read(gain)
    names = list(bands["antennas"])
    pulls = []
    for k, station in enumerate(made.STATIONS):
        a = names.index(str(station))
        for w, (b, g) in enumerate(zip(bands["windows"], gains["windows"], strict=True)):
            channels = slice(w * made.CHANNELS, (w + 1) * made.CHANNELS)
            # (time, channel, receptor)
            size = np.abs(b["value_tafr"][:, a]) * np.abs(g["value_tafr"][:, a])
            want = np.abs(truth_band[k, :, channels].T)[None] * np.abs(truth_gain[k].T)[:, None]
            error = np.hypot(
                b["error_tafr"][:, a] / np.abs(b["value_tafr"][:, a]),
                g["error_tafr"][:, a] / np.abs(g["value_tafr"][:, a]),
            )
            pulls.append((np.log(size / want) / error).ravel())
    pull = np.concatenate(pulls)
    # 9 antennas, 2 receptors and, a window, 8 + 4 - 1 parameters: some 400 independent numbers, an rms to 3.5 %. Bandpass and gains of the
    # same data share a part of their errors (-4 %), those of few antennas leave out one another's (+3 %).
    assert abs(np.sqrt((pull**2).mean()) - 1.0) < 0.1, np.sqrt((pull**2).mean())
    assert abs(pull.mean()) < 0.15
