"""The package as a whole: import, linkage, command line, configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dsa110_contimg
from dsa110_contimg import _core
from dsa110_contimg.cli import main
from dsa110_contimg.config import load


def test_import_has_no_side_effects(tmp_path: Path) -> None:
    code = """
import json, os, sys, logging, signal
before = (os.getcwd(), dict(os.environ), len(logging.getLogger().handlers))
import dsa110_contimg
after = (os.getcwd(), dict(os.environ), len(logging.getLogger().handlers))
heavy = [m for m in ("casatasks", "casatools", "astropy", "pandas", "matplotlib", "sqlite3") if m in sys.modules]
print(json.dumps([before == after, heavy]))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == [True, []]


@pytest.mark.skipif(sys.platform != "linux", reason="reads an ELF dynamic section")
def test_extension_needs_only_the_c_runtime() -> None:
    result = subprocess.run(["readelf", "-d", str(_core.__file__)], capture_output=True, text=True, check=True)
    needed = {line.split("[")[1].rstrip("]") for line in result.stdout.splitlines() if "(NEEDED)" in line}
    runtime = ("libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux")
    assert needed
    assert [name for name in needed if not name.startswith(runtime)] == []


def test_unknown_option_and_command_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-command"]) == 2
    assert main(["doctor", "--no-such-option"]) == 2
    assert capsys.readouterr().out == ""


def test_version_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == dsa110_contimg.__version__


def test_doctor_prints_one_json_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = main(["doctor", "--root", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == dsa110_contimg.__version__
    # The exit code says whether there are problems (a nearly full disk is one).
    assert code == bool(report["problems"])
    assert {"backends", "databases", "directories"} <= set(report)


def test_configuration_file_environment_and_override(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "contimg.toml"
    path.write_text('[paths]\nroot = "/a"\n[imaging]\nrobust = -1.0\n')
    config = load(path)
    assert (config.paths.root, config.imaging.robust) == (Path("/a"), -1.0)
    monkeypatch.setenv("PIPELINE_OUTPUT_DIR", "/b")
    assert load(path).paths.root == Path("/b")
    monkeypatch.setenv("CONTIMG_OUTPUT_DIR", "/c")
    assert load(path).paths.root == Path("/c")
    assert load(path, paths={"root": "/d"}).paths.products == Path("/d/state/products.sqlite3")


def test_flagging_steps_are_chosen_by_name_or_with_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [step["step"] for step in load().flagging.requests()] == ["zeros", "autos", "dead", "rfi"]
    path = tmp_path / "contimg.toml"
    path.write_text(
        '[flagging]\nfalse_alarm = 1e-5\nsteps = ["rfi", {step = "clip", min = 0, max = 0.5}, "residual"]\n'
    )
    assert load(path).flagging.requests() == [
        {"step": "rfi", "false_alarm": 1e-5},
        {"step": "clip", "min": 0, "max": 0.5},
        {"step": "residual"},
    ]
    monkeypatch.setenv("CONTIMG_FLAG_STEPS", "zeros, autos")
    monkeypatch.setenv("CONTIMG_FLAG_FALSE_ALARM", "1e-3")
    assert load(path).flagging.requests() == [{"step": "zeros"}, {"step": "autos"}]
    assert load(path).flagging.false_alarm == 1e-3
    monkeypatch.setenv("CONTIMG_FLAG_STEPS", "zeros,clip")
    with pytest.raises(ValueError, match=r"flagging\.steps"):
        load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("[imaging]\nrobust = 7\n", "imaging.robust"), ("[imagin]\n", "imagin"), ("not toml", "expected TOML")],
)
def test_wrong_configuration_names_the_key(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "contimg.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=expected):
        load(path)


def test_package_never_imports_sqlite3() -> None:
    package = Path(dsa110_contimg.__file__).parent
    words = ("import sqlite3", "from sqlite3")
    assert [str(p) for p in package.rglob("*.py") if any(w in p.read_text() for w in words)] == []


def test_an_interrupt_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dsa110_contimg.cli import doctor

    def interrupt() -> dict[str, str | None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "_backends", interrupt)
    assert main(["doctor"]) == 130
    assert "interrupted" in capsys.readouterr().err
