"""Published catalogue files, their databases and cones, the unified list, matches, and services that stall, fail and lie."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

from dsa110_contimg import DataError
from dsa110_contimg.catalog import build_master, build_nvss_strip_cli, query_sources
from dsa110_contimg.catalog.external import Service, query_services
from dsa110_contimg.catalog.ingest import ingest, ingest_file
from dsa110_contimg.catalog.loaders import load_catalog
from dsa110_contimg.catalog.matching import cross_match, record_matches
from dsa110_contimg.cli import main
from dsa110_contimg.database import open_database


def test_published_columns_units_and_limits(tmp_path: Path) -> None:
    # NVSS as VizieR gives it: sexagesimal text, sizes that may be limits.
    nvss = Table(
        {
            "NVSS": ["000001+540000", "235959-000030"],
            "RAJ2000": ["00 00 01.50", "23 59 59.00"],
            "DEJ2000": ["+54 00 00.0", "-00 00 30.0"],
            "S1.4": [12.5, 200.0],
            "e_S1.4": [0.6, 6.0],
            "l_MajAxis": ["<", " "],
            "MajAxis": [45.0, 30.0],
        }
    )
    for name in ("nvss.fits", "nvss.vot"):
        nvss.write(tmp_path / name, format="votable" if name.endswith("vot") else "fits")
        table = load_catalog(tmp_path / name)
        assert table["ra_deg"].tolist() == pytest.approx([1.5 / 240, 360 - 1 / 240])
        assert table["dec_deg"].tolist() == pytest.approx([54.0, -30 / 3600])
        assert table["flux_mjy"].tolist() == pytest.approx([12.5, 200.0])
        assert np.isnan(table["maj_arcsec"][0])
        assert table["maj_arcsec"][1] == 30.0
    # VLASS as CIRADA gives it, RACS with Jy in the header's units, FIRST's own names.
    vlass = pd.DataFrame(
        {"RA": [10.0], "DEC": [20.0], "Total_flux": [3.0], "DC_Maj": [1.5], "Component_name": ["VLASS1"]}
    )
    vlass.to_csv(tmp_path / "vlass.csv", index=False)
    assert load_catalog(tmp_path / "vlass.csv")["maj_arcsec"][0] == 1.5
    racs = Table({"ra": [10.0], "dec": [20.0], "total_flux_source": [0.25]})
    racs["total_flux_source"].unit = "Jy"
    racs.write(tmp_path / "racs.vot", format="votable")
    assert load_catalog(tmp_path / "racs.vot")["flux_mjy"][0] == pytest.approx(250.0)


@pytest.mark.parametrize("text", ["", "not,a,catalogue\n1,2,3\n", "ra,dec,flux\n10,99,1\n", "ra,dec,flux\nx,y,1\n"])
def test_what_is_no_catalogue_is_one_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"c\.csv.*expected"):
        load_catalog(path)
    (tmp_path / "c.fits").write_bytes(text.encode())
    with pytest.raises(DataError, match=r"c\.fits.*expected"):
        load_catalog(tmp_path / "c.fits")


def sphere(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return pd.DataFrame({"ra_deg": rng.uniform(0, 360, n), "dec_deg": dec, "flux_mjy": rng.uniform(1, 100, n)})


def test_cones_are_those_of_a_full_search_at_ra_zero_and_the_poles(tmp_path: Path) -> None:
    table = sphere(20_000, 1)
    path = tmp_path / "all.sqlite3"
    assert ingest(table, path) == len(table)
    sky = SkyCoord(table["ra_deg"], table["dec_deg"], unit="deg")
    for ra, dec, radius in [
        (0.0, 0.0, 3.0),
        (359.9, 54.0, 2.0),
        (10.0, 89.9, 4.0),
        (200.0, -90.0, 2.0),
        (120.0, 41.8, 0.01),
    ]:
        expected = int((SkyCoord(ra, dec, unit="deg").separation(sky).deg <= radius).sum())
        found = query_sources("nvss", ra, dec, radius, catalog_path=path)
        assert len(found) == expected
        assert found["flux_mjy"].is_monotonic_decreasing
        assert (found["separation_deg"] <= radius).all()
    # The exact cut comes before the limit.
    few = query_sources("nvss", 0.0, 0.0, 3.0, max_sources=2, catalog_path=path)
    assert few["flux_mjy"].tolist() == query_sources("nvss", 0.0, 0.0, 3.0, catalog_path=path)["flux_mjy"].tolist()[:2]


def test_strips_hold_their_declinations_and_replace_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = sphere(3000, 2)
    table.to_csv(tmp_path / "nvss.csv", index=False)
    out = tmp_path / "strip.sqlite3"
    arguments = ["--dec", "54.6", "--catalog", str(tmp_path / "nvss.csv"), "--output", str(out), "--min-flux-mjy", "10"]
    for _ in range(2):
        assert build_nvss_strip_cli.main(arguments) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    expected = table[((table["dec_deg"] - 54.6).abs() <= 6.0) & (table["flux_mjy"] >= 10)]
    rows = open_database(out, "catalog").select("sources")
    assert done["rows"] == len(rows) == len(expected)
    meta = {r["key"]: r["value"] for r in open_database(out, "catalog").select("meta")}
    assert (meta["dec_strip"], meta["n_sources"]) == ("54.6", str(len(expected)))
    assert build_nvss_strip_cli.main(["--dec", "-80", *arguments[2:]]) == 1
    assert "covers" in capsys.readouterr().err
    with pytest.raises(DataError, match="expected sources in the strip"):
        ingest_file(tmp_path / "nvss.csv", tmp_path / "x.sqlite3", dec_strip=10.0, min_flux_mjy=1e6)
    assert sorted(p.name for p in tmp_path.iterdir() if "partial" in p.name or p.name.startswith("x.")) == []


def test_the_unified_list_knows_indices_confusion_and_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arcsec = 1 / 3600
    ra = np.array([0.001, 10.0, 20.0, 30.0])
    nvss = pd.DataFrame({"ra": ra, "dec": 40.0, "flux_mjy": [100.0, 100.0, 100.0, 30.0], "flux_err_mjy": 1.0})
    vlass = pd.DataFrame(
        {"ra": [359.9999, 10.0, 10.0, 30.0], "dec": 40.0 + arcsec * np.array([0, 3, -1, 0]), "flux_mjy": 60.0}
    )
    first = pd.DataFrame({"ra": [0.001, 20.0], "dec": 40.0, "flux_mjy": 90.0, "maj_arcsec": [2.0, 9.0]})
    for name, table in (("nvss", nvss), ("vlass", vlass), ("first", first)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    out = tmp_path / "master_sources.sqlite3"
    files = [a for n in ("nvss", "vlass", "first") for a in (f"--{n}", str(tmp_path / f"{n}.csv"))]
    assert build_master.main([*files, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["good_references"] == 1
    rows = open_database(out, "catalog").select("sources", order_by=["ra_deg"])
    alpha = np.log(0.6) / np.log(3.0 / 1.4)
    assert [r["confusion_flag"] for r in rows] == [0, 1, 0, 0]
    assert [r["resolved_flag"] for r in rows] == [0, 0, 1, 0]
    assert rows[0]["alpha"] == pytest.approx(alpha)
    assert rows[1]["s_vlass"] == pytest.approx(0.06)
    assert rows[2]["alpha"] is None
    (tmp_path / "stable.txt").write_text("nobody\n")
    assert build_master.main([*files, "--out", str(out), "--finalref-ids", str(tmp_path / "stable.txt")]) == 0
    assert json.loads(capsys.readouterr().out)["final_references"] == 0
    # The original's limits, kept in the database's views; the references as a table, and one view as CSV.
    wide = [
        "--goodref-snr-min",
        "1",
        "--goodref-alpha-min",
        "-9",
        "--goodref-alpha-max",
        "9",
        "--finalref-snr-min",
        "1",
    ]
    export = ["--materialize-final", "--export-csv", str(tmp_path / "refs.csv"), "--export-view", "final_references"]
    assert build_master.main([*files, "--out", str(out), *wide, *export]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["final_references"] == done["good_references"] >= 1
    db = open_database(out, "catalog")
    assert (
        len(db.select("final_references_table")) == done["final_references"] == len(pd.read_csv(tmp_path / "refs.csv"))
    )


def test_columns_and_units_that_a_file_does_not_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("alpha1,delta1,S\n10.0,54.0,0.25\n")
    mapped = ["--map-nvss-ra", "alpha1", "--map-nvss-dec", "delta1", "--map-nvss-flux", "S", "--nvss-flux-unit", "jy"]
    out = tmp_path / "m.sqlite3"
    assert build_master.main(["--nvss", str(path), "--out", str(out), *mapped]) == 0
    assert open_database(out, "catalog").select("sources")[0]["s_nvss"] == pytest.approx(0.25)
    capsys.readouterr()
    assert build_master.main(["--nvss", str(path), "--out", str(out), "--map-nvss-ra", "nothing"]) == 1
    assert "expected columns nothing" in capsys.readouterr().err


def test_matches_say_how_good_they_are(tmp_path: Path) -> None:
    sources = pd.DataFrame(
        {"source_id": ["a", "b", "c"], "ra_deg": [0.0001, 10.0, 50.0], "dec_deg": 60.0, "flux_jy": 0.1}
    )
    catalog = pd.DataFrame(
        {
            "ra_deg": [359.9999, 10.0, 10.001],
            "dec_deg": [60.0, 60.0005, 60.0],
            "flux_mjy": 50.0,
            "source_id": ["A", "B", "B2"],
        }
    )
    found = cross_match(sources, catalog, "nvss", radius_arcsec=6.0)
    assert found["source_id"].tolist() == ["a", "b"]
    assert found["match_quality"].tolist() == ["excellent", "confused"]
    assert found["dra_arcsec"][0] == pytest.approx(0.36, abs=1e-6)
    assert found["flux_ratio"].tolist() == pytest.approx([2.0, 2.0])
    db = open_database(tmp_path / "p.sqlite3", "products")
    for _ in range(2):
        assert record_matches(db, found) == 2
    assert len(db.select("cross_matches")) == 2


class Liar(http.server.BaseHTTPRequestHandler):
    """Answers by the path: honest, stalls, drips, fails, lies in three ways."""

    asked: ClassVar[list[str]] = []
    over = threading.Event()

    def do_POST(self) -> None:
        """One TAP query."""
        length = int(self.headers["Content-Length"])
        query = urllib.parse.parse_qs(self.rfile.read(length).decode())["QUERY"][0]
        type(self).asked.append(self.path)
        honest = b"name,ra,dec\nnear,359.9995,0.0\n"
        answers = {
            "/honest": honest,
            "/elsewhere": b"name,ra,dec\nfar,120.0,30.0\n",
            "/page": b"<html>Service unavailable</html>",
            "/huge": b"name,ra,dec\n" + b"x,0,0\n" * 1_000_000,
        }
        if self.path == "/stall":
            self.over.wait(10)
            return
        if self.path == "/fail":
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        try:
            if self.path == "/drip":
                for byte in honest:
                    self.wfile.write(bytes([byte]))
                    if self.over.wait(0.3):
                        return
            self.wfile.write(answers.get(self.path, honest))
        except OSError:
            return
        assert "CIRCLE('ICRS', 0.00000000" in query

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar) as httpd:
        httpd.daemon_threads = False
        Liar.asked = []
        Liar.over.clear()
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        Liar.over.set()
        httpd.shutdown()


def test_services_that_stall_fail_and_lie_give_none_in_time(server: str, tmp_path: Path) -> None:
    names = ("honest", "stall", "drip", "fail", "elsewhere", "page", "huge")
    services = {n: Service(f"{server}/{n}", "t", "ra", "dec", ("name", "ra", "dec")) for n in names}
    services["nobody"] = Service("http://127.0.0.1:9/x", "t", "ra", "dec", ("name", "ra", "dec"))
    services["file"] = Service("file:///etc/hostname", "t", "ra", "dec", ("name", "ra", "dec"))
    here = SkyCoord(0.0, 0.0, unit="deg")
    start = time.monotonic()
    found = query_services(here, 5.0, list(services), 3.0, endpoints=services, cache_dir=tmp_path / "cache")
    # The limit of three seconds, and what threads take on a busy machine; the stall alone is ten.
    assert time.monotonic() - start < 8.0
    assert [n for n, t in found.items() if t is not None] == ["honest"]
    honest = found["honest"]
    assert honest is not None
    assert honest["separation_arcsec"].tolist() == pytest.approx([1.8])
    # The answer is remembered, the failures are not.
    asked = len(Liar.asked)
    again = query_services(here, 5.0, ["honest", "fail"], 5.0, endpoints=services, cache_dir=tmp_path / "cache")
    assert again["honest"] is not None
    assert again["honest"].equals(honest)
    assert Liar.asked[asked:] == ["/fail"]
    with pytest.raises(ValueError, match="expected some of"):
        query_services(here, 5.0, ["simbat"], 1.0)


def test_the_commands_build_and_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sphere(2000, 3).to_csv(tmp_path / "n.csv", index=False)
    db = tmp_path / "n.sqlite3"
    assert main(["catalog", "ingest", str(tmp_path / "n.csv"), "--output", str(db), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2000
    assert main(["catalog", "cone", "--ra", "0", "--dec", "0", "--radius", "10", "--path", str(db), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] > 0
    assert main(["catalog", "cone", "--ra", "0", "--dec", "95", "--path", str(db)]) == 1
    assert "declination" in capsys.readouterr().err


def test_sources_of_one_name_keep_light_curves_apart_whichever_cone_they_are_found_in(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    rows = ["S3,359.9,0.0,300", "S3,0.1,0.0,200", "S3a,0.2,0.0,100", ",0.3,0.0,50"]
    file.write_text("\n".join(["name,ra_deg,dec_deg,flux_mjy", *rows]))
    everywhere = query_sources("nvss", 0.0, 0.0, 1.0, catalog_path=file)
    assert everywhere["source_id"].tolist() == ["S3", "S3b", "S3a", "J000112+000000"]
    # The second of the name alone in the cone is still the second.
    assert query_sources("nvss", 0.1, 0.0, 0.05, catalog_path=file)["source_id"].tolist() == ["S3b"]


@pytest.mark.parametrize(
    ("ra", "dec", "radius"), [(10.0, 91.0, 0.5), (np.nan, 0.0, 0.5), (10.0, 0.0, -1.0), (10.0, 0.0, np.nan)]
)
def test_a_cone_that_is_none_is_refused_and_not_empty(tmp_path: Path, ra: float, dec: float, radius: float) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name,ra_deg,dec_deg,flux_mjy\nA,10,0,100\n")
    assert len(query_sources("nvss", 370.0, 0.0, 0.5, catalog_path=file)) == 1
    with pytest.raises(ValueError, match="cone: expected"):
        query_sources("nvss", ra, dec, radius, catalog_path=file)
