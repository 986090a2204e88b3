"""Other people's catalogues, over the network, with a time limit."""

from __future__ import annotations

import concurrent.futures
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

log = logging.getLogger(__name__)


def query_services(coord: SkyCoord, radius_arcsec: float, services: Sequence[str], timeout_s: float) -> dict[str, Any]:
    """Ask several services at once.

    Returns
    -------
    dict
        Service to its table as a DataFrame, or None when it failed or took longer than `timeout_s`.

    Raises
    ------
    ModuleNotFoundError
        `astroquery` is not installed.
    ValueError
        An unknown service.
    """
    import astroquery  # noqa: F401

    asks: dict[str, Callable[[SkyCoord, float], Any]] = {"simbad": _simbad, "ned": _ned, "gaia": _gaia}
    unknown = [s for s in services if s not in asks]
    if unknown:
        raise ValueError(f"catalogs: expected some of {', '.join(asks)}, found {', '.join(unknown)}")
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(len(services), 1))
    futures = {name: pool.submit(asks[name], coord, radius_arcsec) for name in services}
    done, _ = concurrent.futures.wait(futures.values(), timeout=timeout_s)
    # A service that stalls keeps its thread, not the caller.
    pool.shutdown(wait=False, cancel_futures=True)
    out: dict[str, Any] = {}
    for name, future in futures.items():
        error = future.exception() if future in done else TimeoutError(f"no answer in {timeout_s} s")
        if error is not None:
            log.warning("%s: %s", name, error)
        out[name] = None if error is not None else future.result()
    return out


def _frame(table: Any) -> Any:
    return None if table is None else table.to_pandas()


def _simbad(coord: SkyCoord, radius_arcsec: float) -> Any:
    from astropy import units
    from astroquery.simbad import Simbad

    return _frame(Simbad.query_region(coord, radius=radius_arcsec * units.arcsec))


def _ned(coord: SkyCoord, radius_arcsec: float) -> Any:
    from astropy import units
    from astroquery.ipac.ned import Ned

    return _frame(Ned.query_region(coord, radius=radius_arcsec * units.arcsec))


def _gaia(coord: SkyCoord, radius_arcsec: float) -> Any:
    from astropy import units
    from astroquery.gaia import Gaia

    return _frame(Gaia.cone_search_async(coord, radius=radius_arcsec * units.arcsec).get_results())
