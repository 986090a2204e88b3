"""`contimg demo`: simulate a campaign, run the pipeline over it, find the lens event, write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli.console import JsonOption, bar, emit, out
from dsa110_contimg.cli.run import print_result


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the demo; made when missing.")] = Path(
        "demo-out"
    ),
    full: Annotated[bool, typer.Option("--full", help="One full-size group instead, stage by stage.")] = False,
    epochs: Annotated[int, typer.Option(min=22, help="Epochs of the campaign.")] = 24,
    seed: Annotated[int, typer.Option(help="Everything random.")] = 110,
    json_output: JsonOption = False,
) -> None:
    """Simulate a campaign with a lens event and a flare, run the pipeline, and nominate: exit 0 only if exactly the lens is found."""
    if full:
        from dsa110_contimg.cli.full_demo import run_full

        run_full(out_dir, seed=seed, json_output=json_output)
        return
    from dsa110_contimg.pipeline.demo import run_demo

    with bar("simulate", quiet=json_output) as simulated, bar_of_groups(json_output) as grouped:
        outcome = run_demo(out_dir, epochs=epochs, seed=seed, on_epoch=simulated, on_group=grouped)
    payload = {
        "nominated": outcome.nominated,
        "injected": outcome.injected,
        "stages": outcome.stages,
        "groups": [
            {k: g.get(k) for k in ("group_id", "kind", "status", "provenance", "reason")} for g in outcome.run.groups
        ],
        "report": outcome.report,
    }

    def human() -> None:
        print_result(outcome.run)
        out.print(f"nominated: {', '.join(outcome.nominated) or 'none'}   injected lens: {', '.join(outcome.injected)}")
        out.print(f"report: {outcome.report}")

    emit(payload, json_output, human, ok=outcome.ok)


def bar_of_groups(quiet: bool) -> Any:
    """A bar that takes (done, total, text)."""
    from contextlib import contextmanager

    @contextmanager
    def three() -> Any:
        with bar("groups", quiet=quiet) as update:
            yield lambda done, total, _text: update(done, total)

    return three()
