"""UVH5 files from Python: a header and reads of parts, through the core."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsa110_contimg import _core


@dataclass(frozen=True, slots=True)
class Uvh5File:
    """A UVH5 file by its header; visibilities are read when asked for.

    ``header`` has SI units and degrees as its keys say; times are UTC in MJD seconds; channels ascend in frequency.
    """

    path: Path
    header: dict[str, Any]

    def read(
        self,
        *,
        times: tuple[int, int] | None = None,
        channels: tuple[int, int] | None = None,
        antennas: Sequence[int] | None = None,
        baselines: Sequence[tuple[int, int]] | None = None,
        autos: bool = True,
        progress: Callable[[int, int], object] | None = None,
    ) -> dict[str, Any]:
        """Read visibilities in the Measurement Set's convention (antenna1 < antenna2, uvw = position 1 - position 2).

        Parameters
        ----------
        times, channels : (int, int), optional
            Half-open ranges of integrations and of ascending channels.
        antennas : sequence of int, optional
            Baselines among these entries of the header's antenna table.
        baselines : sequence of (int, int), optional
            These baselines, in either order.
        autos : bool
            Keep autocorrelations.
        progress : callable, optional
            Called with (rows done, rows in all).

        Returns
        -------
        dict
            ``vis_rfp`` complex64, ``weight_rfp`` float32, ``flag_rfp`` bool (row, channel, product); ``uvw_m``
            (row, 3); ``time_mjd_s``, ``interval_s``, ``antenna1``, ``antenna2``, ``integration`` (row);
            ``freq_hz``, ``width_hz`` (channel); ``products``, a list of names.
        """
        return _core.uvh5.read(
            self.path,
            times=times,
            channels=channels,
            antennas=None if antennas is None else list(antennas),
            baselines=None if baselines is None else list(baselines),
            no_autos=not autos,
            progress=progress,
        )


def open_uvh5(path: str | os.PathLike[str]) -> Uvh5File:
    """Read the header of a UVH5 file.

    Raises
    ------
    DataError
        When it is not a UVH5 file that makes sense; the text names the dataset, what was expected and what was found.
    OSError
        When it cannot be read.
    """
    return Uvh5File(Path(path), _core.uvh5.read_header(path))
