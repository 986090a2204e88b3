"""Many sources at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.catalog.names import check_cone
from dsa110_contimg.photometry.export import export_regions
from dsa110_contimg.photometry.source import Source, _open
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dsa110_contimg.photometry.normalize import MeasurementStore


class Query:
    """Sources of a products database by name, place, verdict or statistics.

    Parameters
    ----------
    products_db : Database, path or object with ``select``, optional
        Where they are; ``products`` of the configuration when left out.
    names : sequence of str, optional
        Only these.
    ra_deg, dec_deg, radius_deg : float, optional
        Only within this cone; all three or none.
    verdict : str, optional
        Only those judged so: candidate, variable, steady, insufficient.
    min_eta, min_v : float, optional
        Only those at or above.

    Raises
    ------
    ValueError
        Part of a cone.
    """

    def __init__(
        self,
        products_db: MeasurementStore | str | os.PathLike[str] | None = None,
        *,
        names: Sequence[str] | None = None,
        ra_deg: float | None = None,
        dec_deg: float | None = None,
        radius_deg: float | None = None,
        verdict: str | None = None,
        min_eta: float | None = None,
        min_v: float | None = None,
    ) -> None:
        self._store = _open(products_db)
        cone = (ra_deg, dec_deg, radius_deg)
        if any(v is None for v in cone) and any(v is not None for v in cone):
            raise ValueError(f"cone: expected ra_deg, dec_deg and radius_deg or none of them, found {cone}")
        if ra_deg is not None and dec_deg is not None and radius_deg is not None:
            check_cone(ra_deg, dec_deg, radius_deg)
        conditions: list[tuple[str, str, Any]] = []
        for name, operator, value in (
            ("verdict", "=", verdict),
            ("eta_metric", ">=", min_eta),
            ("v_metric", ">=", min_v),
        ):
            if value is not None:
                conditions.append((name, operator, value))
        table = self._table(conditions)
        if names is not None:
            table = table[table["source_id"].isin(list(names))]
        if ra_deg is not None and dec_deg is not None and radius_deg is not None:
            table = _within(table, ra_deg, dec_deg, radius_deg)
        #: One row a source, as ``variability_stats`` has it, and eta and v under their short names.
        self.table: pd.DataFrame = table.reset_index(drop=True)

    def _table(self, conditions: Sequence[tuple[str, str, Any]]) -> pd.DataFrame:
        import pandas as pd

        rows = self._store.select("variability_stats", *conditions, order_by=["source_id"])
        table = pd.DataFrame(rows)
        if table.empty:
            table = pd.DataFrame(
                {c: pd.Series(dtype=float) for c in ("source_id", "ra_deg", "dec_deg", "eta_metric", "v_metric")}
            )
        return table.assign(eta=column(table["eta_metric"]), v=column(table["v_metric"]))

    def __len__(self) -> int:
        """Number of sources."""
        return len(self.table)

    def __iter__(self) -> Iterator[Source]:
        """Each source, loaded when its turn comes."""
        for name in self.table["source_id"]:
            yield self[str(name)]

    def __getitem__(self, source_id: str) -> Source:
        """One source by its name."""
        return Source(source_id, products_db=self._store)

    def eta_v_cuts(self, n_sigma: float = 2.0) -> tuple[float, float]:
        """Cuts in eta and V, `n_sigma` above the centre of Gaussians fitted to their logarithms (robustly, as Rowlinson et al. 2019
        fit them), beyond which a source stands out from the others.

        Raises
        ------
        ValueError
            Fewer than five sources with both.
        """
        import numpy as np

        good = self.table[(self.table["eta"] > 0) & (self.table["v"] > 0)]
        if len(good) < 5:
            raise ValueError(f"eta-V plane: expected at least 5 sources with both, found {len(good)}")
        cuts = []
        for name in ("eta", "v"):
            logs = np.log10(column(good[name]))
            centre = float(np.median(logs))
            for _ in range(5):
                near = logs[np.abs(logs - centre) <= 3.0 * _sigma(logs, centre)]
                centre = float(np.median(near))
            cuts.append(float(10 ** (centre + n_sigma * _sigma(logs, centre))))
        return cuts[0], cuts[1]

    def plot_eta_v(self, n_sigma: float = 2.0) -> Figure:
        """Draw the plane of eta and V with the cuts of `eta_v_cuts`."""
        from dsa110_contimg.plots.lightcurves import plot_eta_v

        eta, v = self.eta_v_cuts(n_sigma)
        return plot_eta_v(self.table, eta_cut=eta, v_cut=v)

    def show_eta_v(self, n_sigma: float = 2.0) -> Any:
        """The same as a bokeh figure with names, for a notebook; needs `bokeh`."""
        from dsa110_contimg.plots.interactive import eta_v

        return eta_v(self.table, *self.eta_v_cuts(n_sigma))

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as CSV, Parquet or VOTable, by the path's ending."""
        from dsa110_contimg.photometry.export import write_table

        return write_table(self.table, path)

    def export_regions(self, path: str | os.PathLike[str], radius_arcsec: float = 30.0) -> Path:
        """Write a region file of all."""
        return export_regions(self, path, radius_arcsec)


def _sigma(values: Any, centre: float) -> float:
    """Spread from the lower half alone: variables are all above."""
    import numpy as np

    below = values[values <= centre]
    return float(1.4826 * np.median(centre - below)) if len(below) else 0.0


def _within(table: pd.DataFrame, ra_deg: float, dec_deg: float, radius_deg: float) -> pd.DataFrame:
    import dsa110_contimg._core as _compiled

    known = table[table["ra_deg"].notna() & table["dec_deg"].notna()]
    centre = column([ra_deg]), column([dec_deg])
    where = column(known["ra_deg"]), column(known["dec_deg"])
    _, index, _ = _compiled.catalog.match_pairs(*centre, *where, radius_deg * 3600.0)
    return known.iloc[sorted(index.tolist())]
