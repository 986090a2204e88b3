"""What people read before they run a command: every option explained, units not swallowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from dsa110_contimg.cli import main
from dsa110_contimg.cli.app import build


def commands() -> Iterator[tuple[list[str], Any]]:
    def walk(words: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield words, command
            return
        for name, child in below.items():
            yield from walk([*words, name], child)

    yield from walk([], typer.main.get_command(build()))


@pytest.mark.parametrize(
    ("words", "command"), list(commands()), ids=lambda v: "-".join(v) if isinstance(v, list) else ""
)
def test_every_parameter_is_explained_with_its_unit(
    words: list[str], command: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert command.help, words
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    for parameter in command.params:
        assert getattr(parameter, "help", None), (words, parameter.name)
        for unit in re.findall(r"\[[a-zA-Z][^\]]*\]", parameter.help):
            assert unit in shown, (words, parameter.name, unit)
