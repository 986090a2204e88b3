"""`contimg demo --full`: one full-size group, stage by stage, by both paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsa110_contimg.cli.console import emit, err, out

#: Stages of the way from UVH5 to fluxes by way of the disk.
STAGED = ("convert", "flag", "solve", "apply", "image", "measure")
FAST = "tile (fast path)"


def run_full(out_dir: Path, *, seed: int, json_output: bool) -> None:
    """Run the full-size group and print each stage's time, CPU and peak memory."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from dsa110_contimg.config import progress_disabled
    from dsa110_contimg.pipeline.full import FullGroup
    from dsa110_contimg.pipeline.full import run_full as work

    quiet = json_output or not err.is_terminal or progress_disabled()
    columns = (SpinnerColumn(), TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as bars:

        def on_stage(name: str) -> Any:
            for task in bars.tasks:
                bars.update(task.id, total=1, completed=1)
            task_id = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task_id, completed=done, total=total or None)

        outcome = work(out_dir, FullGroup(seed=seed), on_stage=on_stage)
    image, tile = outcome.image, outcome.tile
    keep = ("rms_jy", "expected_rms_jy", "peak_jy", "dynamic_range", "beam", "outcome", "products")
    payload = {
        "nominated": [],
        "injected": [],
        "stages": outcome.stages,
        "image": {key: image[key] for key in keep},
        "tile": {"stages": tile["stages"], "latency_s": tile["latency_s"], "positions": tile["positions"]},
        "flux_ratio_median": outcome.flux_ratio_median,
        "flux_ratio_scatter": outcome.flux_ratio_scatter,
        "fast_difference_sigma": outcome.fast_difference,
    }
    emit(payload, json_output, lambda: print_full(payload))


def print_full(payload: dict[str, Any]) -> None:
    """Tables for a person: the stages of both paths, and the parts of the fast one."""
    from rich.table import Table

    table = Table("stage", "wall [s]", "CPU [s]", "peak [MB]", title="One full-size group: 96 antennas, 24 x 16 x 48")
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, wall: float, cpu: float, peak: float, style: str | None = None) -> None:
        table.add_row(name, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}", style=style)

    def total(name: str, stages: list[dict[str, Any]]) -> None:
        sums = [sum(s[key] for s in stages) for key in ("wall_s", "cpu_s")]
        row(name, sums[0], sums[1], max((s["peak_rss_mb"] for s in stages), default=0.0), "bold")
        table.add_section()

    stages = payload["stages"]
    before = [s for s in stages if s["name"] not in (*STAGED, FAST)]
    staged = [s for s in stages if s["name"] in STAGED]
    for part, name in ((before, "to begin with"), (staged, "UVH5 to fluxes, by way of the disk")):
        for s in part:
            row(s["name"], s["wall_s"], s["cpu_s"], s["peak_rss_mb"])
        total(name, part)
    for s in payload["tile"]["stages"]:
        table.add_row(f"  {s['name']}", f"{s['wall_s']:.1f}", f"{s['cpu_s']:.1f}", "")
    total("UVH5 to fluxes, in memory", [s for s in stages if s["name"] == FAST])
    out.print(table)
    image = payload["image"]
    out.print(
        f"noise {1e3 * image['rms_jy']:.2f} mJy/beam (thermal {1e3 * image['expected_rms_jy']:.2f}), {image['outcome']}; "
        f"measured over injected flux {payload['flux_ratio_median']:.4f} +- {payload['flux_ratio_scatter']:.4f}"
    )
    out.print(
        f"{payload['tile']['positions']} positions in the band and 16 subbands; the two paths differ by at most "
        f"{payload['fast_difference_sigma']:.1e} sigma; fluxes {payload['tile']['latency_s']:.1f} s after the call"
    )
