"""One source and what is known of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.photometry.bands import band_curves, band_table
from dsa110_contimg.photometry.export import export_regions
from dsa110_contimg.photometry.normalize import MeasurementStore
from dsa110_contimg.photometry.variability import summarise
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd
    from astropy.coordinates import SkyCoord
    from matplotlib.figure import Figure

#: A measurement is a detection above this signal-to-noise ratio.
DETECTION_SNR = 5.0


class Source:
    """A source of the products database.

    Parameters
    ----------
    source_id : str
        Name in the database.
    ra_deg, dec_deg : float, optional
        Position [degrees]; taken from the measurements when left out.
    name : str, optional
        For people; the `source_id` when left out.
    products_db : Database, path or object with ``select``, optional
        Where its measurements are; ``products`` of the configuration when left out.

    Raises
    ------
    ValueError
        The database has no measurement of it and no position was given.
    """

    def __init__(
        self,
        source_id: str,
        ra_deg: float | None = None,
        dec_deg: float | None = None,
        name: str | None = None,
        products_db: MeasurementStore | str | os.PathLike[str] | None = None,
    ) -> None:
        self.source_id = source_id
        self.name = name or source_id
        self._store = _open(products_db)
        self.measurements = self._load()
        if ra_deg is None or dec_deg is None:
            if self.measurements.empty:
                raise ValueError(f"{source_id}: expected measurements or a position, found neither")
            ra_deg = float(self.measurements["ra_deg"].iloc[0])
            dec_deg = float(self.measurements["dec_deg"].iloc[0])
        self.ra_deg, self.dec_deg = ra_deg, dec_deg

    def _load(self) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        rows = self._store.select("photometry_timeseries", ("source_id", "=", self.source_id), order_by=["mjd"])
        columns = [
            "mjd",
            "image_path",
            "ra_deg",
            "dec_deg",
            "peak_jyb",
            "peak_err_jyb",
            "peak_norm",
            "peak_norm_err",
            "gain",
            "gain_err",
            "band_norm_ujy",
            "band_norm_err_ujy",
            "flags",
        ]
        table = pd.DataFrame(rows, columns=columns)
        for name in columns:
            if name != "image_path" and not name.startswith("band_"):
                table[name] = column(table[name])
        err = table["peak_err_jyb"].where(table["peak_err_jyb"] > 0, np.nan)
        table["snr"] = table["peak_jyb"] / err
        return table

    @property
    def coord(self) -> SkyCoord:
        """Position, ICRS."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(self.ra_deg, self.dec_deg, unit="deg")

    @property
    def n_epochs(self) -> int:
        """Number of measurements."""
        return len(self.measurements)

    @property
    def detections(self) -> pd.DataFrame:
        """Measurements above 5 sigma."""
        return self.measurements[self.measurements["snr"] > DETECTION_SNR]

    @property
    def limits(self) -> pd.DataFrame:
        """The other measurements; their fluxes are still signed fluxes. ``upper_limit_jy`` is 5 times the error."""
        rest = self.measurements[~(self.measurements["snr"] > DETECTION_SNR)]
        return rest.assign(upper_limit_jy=DETECTION_SNR * rest["peak_err_jyb"])

    @property
    def bands(self) -> pd.DataFrame:
        """Fluxes in the parts of the band: mjd, image_path, band, freq_hz, flux_jy, flux_err_jy; normalised where they are."""
        rows = self._store.select("photometry_bands", ("source_id", "=", self.source_id), order_by=["mjd", "band"])
        return band_table(rows, self.measurements)

    def curve(self, use_normalized: bool = True) -> tuple[Any, Any, Any]:
        """``(mjd, flux_jy, err_jy)``; normalised when asked for and there is any such point."""
        table, names = self.measurements, ("peak_jyb", "peak_err_jyb")
        if use_normalized and bool(table["peak_norm"].notna().any()):
            table, names = table[table["peak_norm"].notna()], ("peak_norm", "peak_norm_err")
        return column(table["mjd"]), column(table[names[0]]), column(table[names[1]])

    def calc_variability_metrics(self, use_normalized: bool = True) -> dict[str, float]:
        """Statistics of the light curve: all of `variability.summarise`, and vs_mean, m_mean, n_epochs.

        ``vs_mean`` and ``m_mean`` keep the original's names and its meaning, the mean over consecutive epochs.
        """
        from dsa110_contimg.photometry.variability import calculate_m_metric, calculate_vs_metric

        mjd, flux, err = self.curve(use_normalized)
        table = summarise({self.source_id: (mjd, flux, err)}, shape=True)
        found = {str(key): float(value) for key, value in table.iloc[0].items()}
        pairs = range(len(flux) - 1)
        vs = [calculate_vs_metric(flux[i], flux[i + 1], err[i], err[i + 1]) for i in pairs]
        m = [calculate_m_metric(flux[i], flux[i + 1]) for i in pairs]
        return {**found, "vs_mean": _mean(vs), "m_mean": _mean(m), "n_epochs": float(self.n_epochs)}

    def judge(self, **options: Any) -> dict[str, Any]:
        """Verdict with reasons, as the pipeline gives it: on the normalised light curve and on those of the parts of the band.

        See `dsa110_contimg.photometry.nominate.judge_curves`, whose keys it has.
        """
        from dsa110_contimg.photometry.nominate import judge_curves

        curves = {self.source_id: [(None, self.curve()), *band_curves(self.bands, self.measurements)]}
        return judge_curves(curves, options=options)[self.source_id]

    def plot_lightcurve(
        self,
        use_normalized: bool = True,
        figsize: tuple[float, float] = (8.0, 4.0),
        min_points: int = 2,
        mjd: bool = True,
        grid: bool = True,
        yaxis_start: str = "auto",
        highlight_baseline: bool = True,
        highlight_ese_period: bool = True,
        save: bool = False,
        outfile: str | os.PathLike[str] | None = None,
        plot_dpi: int = 150,
    ) -> Figure:
        """Draw the light curve with baseline epochs and the dip shaded; with `save` write it to `outfile`.

        Raises
        ------
        ValueError
            Fewer than `min_points` measurements.
        """
        import pandas as pd

        from dsa110_contimg.plots.lightcurves import plot_lightcurve

        times, flux, err = self.curve(use_normalized)
        if len(times) < min_points:
            raise ValueError(f"{self.source_id}: expected at least {min_points} measurements, found {len(times)}")
        judged = self.judge()
        events = [judged["dip"]] if highlight_ese_period and judged["dip"] is not None else []
        figure = plot_lightcurve(
            pd.DataFrame({"mjd": times, "flux_jy": flux, "flux_err_jy": err}),
            title=f"{self.name}   {judged['verdict']}, ESE score {judged['score']['total']:.2f}",
            baseline=judged["baseline"] if highlight_baseline else None,
            events=events,
            mjd=mjd,
            grid=grid,
            yaxis_start=yaxis_start,
            figsize=figsize,
        )
        if save:
            figure.savefig(Path(outfile or f"{self.source_id}_lightcurve.png"), dpi=plot_dpi)
        return figure

    def plot_bands(
        self, figsize: tuple[float, float] = (8.0, 5.0), events: Sequence[Mapping[str, Any]] | None = None
    ) -> Figure:
        """Draw one panel a part of the band (at most eight, neighbours averaged), on one scale of flux over its level outside the events.

        `events` (``mjd_start``, ``mjd_end``) are shaded; the dips of `judge` when left out.

        Raises
        ------
        ValueError
            The source was not measured in parts of the band.
        """
        from dsa110_contimg.plots.lightcurves import plot_bands

        table = self.bands
        if table.empty:
            raise ValueError(f"{self.source_id}: expected measurements in parts of the band, found none")
        shaded = self.judge()["events"] if events is None else events
        return plot_bands(table, title=self.name, figsize=figsize, events=shaded)

    def show_lightcurve(self, use_normalized: bool = True) -> Any:
        """The light curve as a bokeh figure, for a notebook; needs `bokeh`."""
        from dsa110_contimg.plots.interactive import lightcurve

        mjd, flux, err = self.curve(use_normalized)
        return lightcurve(mjd, flux, err, title=self.name)

    def cutouts(
        self, size_arcmin: float = 10.0, *, limit: int | None = None, epochs: int | None = None
    ) -> list[dict[str, Any]]:
        """Cutouts of the images that it was measured in: data_yx, extent [arcmin], mjd, image_path, beam; missing files left out.

        `limit` takes the first ones, `epochs` so many spread over all whose images are there.
        """
        import numpy as np

        from dsa110_contimg.photometry.cutouts import cutout

        paths = self.measurements[["image_path", "mjd"]].to_dict("records")[:limit]
        if epochs is not None:
            paths = [row for row in paths if Path(row["image_path"]).is_file()]
        if epochs is not None and len(paths) > epochs:
            paths = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, epochs).round().astype(int))]
        made = (cutout(row["image_path"], self.ra_deg, self.dec_deg, size_arcmin) for row in paths)
        return [{**c, "mjd": row["mjd"]} for c, row in zip(made, paths, strict=True) if c is not None]

    def show_all_cutouts(
        self,
        size_arcmin: float = 10.0,
        *,
        columns: int = 5,
        limit: int | None = 20,
        epochs: int | None = None,
        to_peak: bool = False,
        outfile: str | os.PathLike[str] | None = None,
    ) -> Figure:
        """Draw the cutouts on one scale, so that what changes is the source: the z-scale, or to the brightest pixel with `to_peak`.

        The first `limit` epochs, or with `epochs` so many spread over all.

        Raises
        ------
        FileNotFoundError
            None of the images is there.
        """
        from dsa110_contimg.plots.cutouts import plot_cutouts

        made = self.cutouts(size_arcmin, limit=None if epochs else limit, epochs=epochs)
        if not made:
            raise FileNotFoundError(
                f"{self.source_id}: expected images of its {self.n_epochs} measurements, found none"
            )
        figure = plot_cutouts(made, title=self.name, columns=columns, to_peak=to_peak)
        if outfile is not None:
            figure.savefig(Path(outfile), dpi=150)
        return figure

    def export_regions(self, path: str | os.PathLike[str], radius_arcsec: float = 30.0) -> Path:
        """Write a circle around the source as a DS9 region file, or for a path ending in ``.ann`` a Karma annotation."""
        return export_regions([self], path, radius_arcsec)

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the measurements as CSV, Parquet (needs `pyarrow`) or VOTable, by the path's ending."""
        from dsa110_contimg.photometry.export import write_table

        return write_table(self.measurements, path)

    def crossmatch_external(
        self, radius_arcsec: float = 5.0, catalogs: Sequence[str] = ("simbad", "ned", "gaia"), timeout: float = 30.0
    ) -> dict[str, Any]:
        """What other catalogues have here, over the network or remembered. A service that fails or stalls gives None."""
        from dsa110_contimg.catalog.external import query_services
        from dsa110_contimg.config import load

        cache = load().paths.catalogs / "external"
        return query_services(self.coord, radius_arcsec, catalogs, timeout, cache_dir=cache)


def _open(products_db: MeasurementStore | str | os.PathLike[str] | None) -> MeasurementStore:
    if products_db is not None and not isinstance(products_db, str | os.PathLike):
        return products_db
    from dsa110_contimg.database import open_database

    if products_db is None:
        from dsa110_contimg.config import load

        products_db = load().paths.products
    if not Path(products_db).exists():
        raise FileNotFoundError(f"{products_db}: expected a products database, found none")
    return open_database(products_db, "products")


def _mean(values: Sequence[float]) -> float:
    good = [v for v in values if math.isfinite(v)]
    return sum(good) / len(good) if good else float("nan")
