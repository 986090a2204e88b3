"""`contimg normalize`: bring the light curves of a products database to a common scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, bar, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("normalize")(normalize)


def normalize(
    db: Annotated[Path, typer.Argument(help="Products database.")],
    method: Annotated[
        str,
        typer.Option(
            help="ensemble (one gain an epoch), field (over beam and frequency), auto (field where references suffice)."
        ),
    ] = "ensemble",
    reference: Annotated[
        list[str] | None, typer.Option(help="Reference source; repeat. Default: chosen by S/N.")
    ] = None,
    gate: Annotated[
        bool, typer.Option(help="Judge each epoch against the catalogue first; failed ones take no part.")
    ] = True,
    radius_deg: Annotated[float, typer.Option(help="Radius that the field's offsets are measured in [degrees].")] = 1.5,
    json_output: JsonOption = False,
) -> None:
    """Normalise every epoch by its references, and say how well it worked."""
    from dsa110_contimg.database import open_database
    from dsa110_contimg.photometry import campaign
    from dsa110_contimg.photometry.scale import check_epochs

    if method not in {"auto", "ensemble", "field"}:
        raise CommandError(f"--method: expected auto, ensemble or field, found {method!r}")
    if not db.is_file():
        raise CommandError(f"{db}: expected a products database, found none")
    handle = open_database(db, "products")
    verdicts = check_epochs(handle) if gate else {}
    with bar("normalising", quiet=json_output) as progress:
        options = {"radius_deg": radius_deg}
        done = campaign.normalise_by(
            handle, method, references=reference or None, gate=False, options=options, progress=progress
        )
    corrections = {row["image_path"]: row for row in handle.select("epoch_corrections")}
    rows = [corrections.get(row["image_path"], {}) | row for row in handle.select("epoch_gains", order_by=["mjd"])]
    names = ("image_path", "mjd", "n_references", "correction", "correction_rms", "floor", "floor_low", "floor_high")
    epochs: list[dict[str, Any]] = [{k: row.get(k) for k in names} for row in rows]
    for epoch in epochs:
        verdict = verdicts.get(epoch["image_path"])
        epoch["flux_scale"] = verdict.verdict if verdict else None
    failed = {path: v.reasons for path, v in verdicts.items() if v.verdict == "fail"}

    def human() -> None:
        from rich.table import Table

        shown = Table("image", "MJD", "references", "scatter [%]", "floor [%]", "flux scale")
        for row, epoch in zip(rows, epochs, strict=True):
            scatter = row.get("residual_rms")
            floor = (
                "-"
                if row.get("floor") is None
                else f"{100 * row['floor']:.2f} ({100 * row['floor_low']:.2f}-{100 * row['floor_high']:.2f})"
            )
            percent = "-" if scatter is None or scatter != scatter else f"{100 * scatter:.2f}"
            name = Path(epoch["image_path"]).name
            shown.add_row(
                name, f"{epoch['mjd']:.4f}", str(epoch["n_references"]), percent, floor, str(epoch["flux_scale"])
            )
        out.print(shown)
        for path, reasons in failed.items():
            out.print(f"{Path(path).name} failed: {'; '.join(reasons)}")

    emit({"db": str(db), "method": done, "epochs": epochs, "failed": failed}, json_output, human)
