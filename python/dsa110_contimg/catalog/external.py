"""Other people's catalogues, over the network: with a time limit, a memory of answers, and no trust.

SIMBAD, NED, Gaia and VizieR all answer the Virtual Observatory's table access protocol (TAP); astroquery's modules ask the same
servers. A server that stalls costs its time limit and nothing else; an answer that is no table, is too long, or holds sources that
were not asked for is refused.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import logging
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg import DataError

if TYPE_CHECKING:
    import pandas as pd
    from astropy.coordinates import SkyCoord

log = logging.getLogger(__name__)

#: Longest answer that is read [bytes].
MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Service:
    """One TAP service.

    Attributes
    ----------
    url : str
        Address of its synchronous queries.
    table : str
        Table asked.
    ra, dec : str
        Its columns of position, ICRS [degrees].
    columns : tuple of str
        Columns wanted, the position among them.
    """

    url: str
    table: str
    ra: str
    dec: str
    columns: tuple[str, ...]

    def query(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int = 200) -> str:
        """The ADQL of a cone."""
        names = ", ".join(self.columns)
        cone = f"CIRCLE('ICRS', {ra_deg:.8f}, {dec_deg:.8f}, {radius_deg:.8f})"
        where = f"1=CONTAINS(POINT('ICRS', {self.ra}, {self.dec}), {cone})"
        # Names of this module's own table and numbers: nothing of a caller's text.
        return f"SELECT TOP {limit} {names} FROM {self.table} WHERE {where}"  # noqa: S608


SERVICES: dict[str, Service] = {
    "simbad": Service(
        "https://simbad.cds.unistra.fr/simbad/sim-tap/sync",
        "basic",
        "ra",
        "dec",
        ("main_id", "ra", "dec", "otype", "rvz_redshift"),
    ),
    "ned": Service(
        "https://ned.ipac.caltech.edu/tap/sync", "objdir", "ra", "dec", ("prefname", "ra", "dec", "pretype", "z")
    ),
    "gaia": Service(
        "https://gea.esac.esa.int/tap-server/tap/sync",
        "gaiadr3.gaia_source",
        "ra",
        "dec",
        ("source_id", "ra", "dec", "phot_g_mean_mag", "parallax", "pmra", "pmdec"),
    ),
    "vizier": Service(
        "https://tapvizier.cds.unistra.fr/TAPVizieR/tap/sync",
        '"VIII/65/nvss"',
        "RAJ2000",
        "DEJ2000",
        ("NVSS", "RAJ2000", "DEJ2000", '"S1.4"'),
    ),
}


def query_services(
    coord: SkyCoord,
    radius_arcsec: float,
    services: Sequence[str],
    timeout_s: float,
    *,
    endpoints: Mapping[str, Service] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    cache_days: float = 30.0,
) -> dict[str, pd.DataFrame | None]:
    """Ask several services at once.

    Parameters
    ----------
    coord : SkyCoord
        One position.
    radius_arcsec : float
        Radius.
    services : sequence of str
        Some of simbad, ned, gaia, vizier.
    timeout_s : float
        The call takes no longer, whatever the services do.
    endpoints : mapping, optional
        Other services than `SERVICES`.
    cache_dir : path, optional
        Where answers are kept; they are not when left out.
    cache_days : float
        How long an answer is good.

    Returns
    -------
    dict
        Service to its table with a column ``separation_arcsec``, nearest first; None when it failed or took too long.

    Raises
    ------
    ValueError
        An unknown service, a radius or time limit that is not positive.
    """
    known = {**SERVICES, **(endpoints or {})}
    unknown = [s for s in services if s not in known]
    if unknown:
        raise ValueError(f"catalogs: expected some of {', '.join(known)}, found {', '.join(unknown)}")
    if not (radius_arcsec > 0 and timeout_s > 0):
        raise ValueError(f"radius, timeout: expected positive numbers, found {radius_arcsec}, {timeout_s}")
    where = (float(coord.ra.deg), float(coord.dec.deg), radius_arcsec / 3600.0)
    out: dict[str, pd.DataFrame | None] = {}
    asked = {}
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(len(services), 1), thread_name_prefix="catalogue")
    for name in services:
        memory = _memory(cache_dir, known[name], where)
        remembered = _recall(memory, cache_days)
        if remembered is not None:
            out[name] = _table(remembered, known[name], where)
        else:
            asked[name] = (pool.submit(_ask, known[name], where, timeout_s), memory)
    done, _ = concurrent.futures.wait([f for f, _ in asked.values()], timeout=timeout_s)
    # A service that stalls keeps its thread, not the caller.
    pool.shutdown(wait=False, cancel_futures=True)
    for name, (future, memory) in asked.items():
        out[name] = None
        if future not in done:
            log.warning("%s: no answer in %g s", name, timeout_s)
            continue
        try:
            text = future.result()
            out[name] = _table(text, known[name], where)
        except (OSError, DataError, ValueError) as error:
            log.warning("%s: %s", name, error)
            continue
        _remember(memory, text)
    return {name: out[name] for name in services}


def _ask(service: Service, where: tuple[float, float, float], timeout_s: float) -> str:
    """The service's answer as text; in a thread of its own."""
    form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": service.query(*where)}
    request = urllib.request.Request(service.url, urllib.parse.urlencode(form).encode())  # noqa: S310
    if request.type not in {"http", "https"}:
        raise ValueError(f"{service.url}: expected an http address")
    deadline = time.monotonic() + timeout_s
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"{service.url}: answered {error.code} {error.reason}") from None
    with answer:
        parts: list[bytes] = []
        size = 0
        # A byte a second resets the socket's own limit each time: the deadline does not.
        while part := answer.read1(65536):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise DataError(f"{service.url}: expected at most {MAX_BYTES} bytes, found more")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{service.url}: not complete in {timeout_s} s")
    return b"".join(parts).decode("utf-8", "strict")


def _table(text: str, service: Service, where: tuple[float, float, float]) -> pd.DataFrame:
    import io

    import numpy as np
    import pandas as pd

    try:
        table = pd.read_csv(io.StringIO(text))
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{service.url}: expected a CSV table, found: {error}") from error
    names = [c.strip('"') for c in service.columns]
    if list(table.columns) != names:
        raise DataError(f"{service.url}: expected columns {', '.join(names)}, found {str(list(table.columns))[:200]}")
    ra, dec = (
        np.radians(pd.to_numeric(table[c], errors="coerce").to_numpy(dtype=float)) for c in (service.ra, service.dec)
    )
    ra0, dec0 = math.radians(where[0]), math.radians(where[1])
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * math.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    apart = np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))) * 3600.0
    # 5 % and a second: services round, and their positions have epochs.
    wrong = ~(apart <= 1.05 * where[2] * 3600.0 + 1.0)
    if bool(wrong.any()):
        found = f"{int(wrong.sum())} of {len(table)} elsewhere"
        raise DataError(f"{service.url}: expected sources within {3600 * where[2]:g} arcsec, found {found}")
    return table.assign(separation_arcsec=apart).sort_values("separation_arcsec", ignore_index=True)


def _memory(
    cache_dir: str | os.PathLike[str] | None, service: Service, where: tuple[float, float, float]
) -> Path | None:
    if cache_dir is None:
        return None
    key = json.dumps([service.url, service.query(*where)])
    return Path(cache_dir) / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.csv"


def _recall(memory: Path | None, days: float) -> str | None:
    if memory is None or not memory.is_file() or time.time() - memory.stat().st_mtime > days * 86400.0:
        return None
    return memory.read_text()


def _remember(memory: Path | None, text: str) -> None:
    if memory is None:
        return
    memory.parent.mkdir(parents=True, exist_ok=True)
    partial = memory.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(text)
    partial.replace(memory)
