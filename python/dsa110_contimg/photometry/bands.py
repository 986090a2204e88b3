"""Light curves of the parts of the band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd


def band_table(rows: Sequence[Mapping[str, Any]], measurements: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``photometry_bands`` as a table, their normalised fluxes instead where the light curve has them."""
    import json

    import pandas as pd

    columns = ["mjd", "image_path", "band", "freq_hz", "flux_jy", "flux_err_jy"]
    table = pd.DataFrame(rows, columns=columns)
    for _, row in measurements.iterrows():
        for name, packed in (("flux_jy", row["band_norm_ujy"]), ("flux_err_jy", row["band_norm_err_ujy"])):
            if isinstance(packed, str):
                here = table["image_path"] == row["image_path"]
                values = [float("nan") if v is None else 1e-6 * v for v in json.loads(packed)]
                table.loc[here, name] = [values[int(b)] for b in table.loc[here, "band"]]
    for name in ("mjd", "freq_hz", "flux_jy", "flux_err_jy"):
        table[name] = column(table[name])
    return table


def band_curves(bands: pd.DataFrame, measurements: pd.DataFrame) -> list[tuple[float | None, tuple[Any, Any, Any]]]:
    """``(freq_hz, (mjd, flux_jy, err_jy))`` of each part; none unless every normalised epoch was measured in parts."""
    table = measurements[measurements["peak_norm"].notna()]
    if table.empty or not bool(table["band_norm_ujy"].notna().all()):
        return []
    parts = bands.dropna(subset=["freq_hz", "flux_jy", "flux_err_jy"])
    parts = parts[parts["image_path"].isin(table["image_path"])]
    return [
        (float(p["freq_hz"].mean()), (column(p["mjd"]), column(p["flux_jy"]), column(p["flux_err_jy"])))
        for _, p in parts.groupby("band", sort=True)
    ]
