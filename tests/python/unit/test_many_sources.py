"""Lists of sources and their neighbours in a catalogue, as the commands give them."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pandas as pd
import pytest

from dsa110_contimg.cli import main
from dsa110_contimg.database import open_database
from dsa110_contimg.photometry import campaign
from support.measured import SOURCES, everything


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("many") / "p.sqlite3"
    everything(file)
    assert len(campaign.light_curves(open_database(file, "products"))) == SOURCES
    return file


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_sources_are_listed_drawn_and_exported(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {k: tmp_path / f"list.{k}" for k in ("csv", "vot", "parquet", "reg")}
    found = asked(capsys, "sources", "--db", str(path), "--verdict", "candidate", "--export", str(files["csv"]))
    assert [s["source_id"] for s in found["sources"]] == ["S03"]
    assert pd.read_csv(files["csv"])["source_id"].tolist() == ["S03"]
    cone = ("--cone", "10.0", "54.0", "0.05", "--regions", str(files["reg"]))
    near = asked(capsys, "sources", "--db", str(path), *cone)
    assert 0 < near["n"] < SOURCES
    assert files["reg"].read_text().count("circle(") == near["n"]
    pytest.importorskip("pyarrow")
    asked(capsys, "sources", "--db", str(path), "--export", str(files["parquet"]))
    assert len(pd.read_parquet(files["parquet"])) == SOURCES
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda *_a, **_k: without("pyarrow"))
    assert main(["sources", "--db", str(path), "--export", str(tmp_path / "x.parquet")]) == 1
    assert "dsa110_contimg[parquet]" in capsys.readouterr().err.replace("\n", "")


def test_neighbours_in_a_catalogue_are_recorded(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = tmp_path / "nvss.csv"
    near = pd.DataFrame({"source_id": ["A", "B"], "ra_deg": [10.0002, 10.2], "dec_deg": [54.0, 54.0]})
    near.assign(flux_mjy=[50.0, 80.0]).to_csv(catalog, index=False)
    found = asked(capsys, "catalog", "match", str(path), "--path", str(catalog))
    assert [(m["source_id"], m["catalog_source_id"]) for m in found["matches"]] == [("S00", "A"), ("S20", "B")]
    rows = open_database(path, "products").select("cross_matches")
    assert {r["source_id"]: r["match_quality"] for r in rows} == {"S00": "excellent", "S20": "excellent"}
