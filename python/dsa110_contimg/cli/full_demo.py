"""`contimg demo --full`: one full-size group, stage by stage."""

from __future__ import annotations

from pathlib import Path

from dsa110_contimg.cli.console import emit, err, out


def run_full(out_dir: Path, *, seed: int, json_output: bool) -> None:
    """Run the full-size group and print each stage's time, CPU and peak memory."""
    from rich.table import Table

    from dsa110_contimg.pipeline.full import Progress
    from dsa110_contimg.pipeline.full import run_full as work

    def on_stage(name: str) -> Progress:
        if not json_output:
            err.print(f"{name} ...")
        return lambda _done, _total: None

    outcome = work(out_dir, seed=seed, on_stage=on_stage)
    image = outcome.image
    payload = {
        "nominated": [],
        "injected": [],
        "stages": outcome.stages,
        "image": {
            key: image[key] for key in ("rms_jy", "expected_rms_jy", "peak_jy", "dynamic_range", "beam", "products")
        },
        "flux_ratio_median": outcome.flux_ratio_median,
        "flux_ratio_scatter": outcome.flux_ratio_scatter,
    }

    def human() -> None:
        table = Table("stage", "wall [s]", "CPU [s]", "peak [MB]", title="One full-size group")
        for column in table.columns[1:]:
            column.justify = "right"
        for s in outcome.stages:
            table.add_row(s["name"], f"{s['wall_s']:.1f}", f"{s['cpu_s']:.1f}", f"{s['peak_rss_mb']:.0f}")
        out.print(table)
        out.print(
            f"noise {1e3 * image['rms_jy']:.2f} mJy/beam (expected {1e3 * image['expected_rms_jy']:.2f}), "
            f"measured over injected flux {outcome.flux_ratio_median:.4f} +- {outcome.flux_ratio_scatter:.4f}"
        )

    emit(payload, json_output, human)
