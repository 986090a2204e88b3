"""`contimg ese`: normalise, judge and nominate from the recorded measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, bar, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ese")(ese)


def ese(
    db: Annotated[Path, typer.Argument(help="Products database.")],
    reference: Annotated[
        list[str] | None, typer.Option(help="Reference source; repeat. Default: chosen by S/N.")
    ] = None,
    min_log_bf: Annotated[float, typer.Option(help="ln Bayes factor of a lens from which a dip is nominated.")] = 7.0,
    min_epochs: Annotated[int, typer.Option(help="Fewest epochs of a nomination.")] = 20,
    normalise: Annotated[bool, typer.Option(help="Normalise all epochs again first.")] = True,
    method: Annotated[
        str | None, typer.Option(help="ensemble, field or auto; default: the configured one, as contimg run takes it.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Normalise the light curves as `contimg run` does, judge every source, and record candidates."""
    from dsa110_contimg.config import load
    from dsa110_contimg.database import open_database
    from dsa110_contimg.photometry import campaign

    if not db.is_file():
        raise CommandError(f"{db}: expected a products database, found none")
    handle = open_database(db, "products")
    settings = load().photometry
    with bar("judging", quiet=json_output):
        if normalise:
            campaign.normalise_by(
                handle,
                method or settings.normalisation,
                references=reference or None,
                gate=settings.gate,
                max_rms_jy=1e-3 * settings.max_rms_mjy,
            )
        judged = campaign.vary_and_nominate(handle, options={"min_epochs": min_epochs}, min_log_bf=min_log_bf)
    epochs = handle.select("epoch_gains", columns=["method"])
    methods = sorted({str(row["method"]) for row in epochs})
    sources = [
        {
            "source_id": name,
            "verdict": j["verdict"],
            "ese_score": j["score"]["total"],
            "log_bf_lens": j["log_bf_lens"],
            "trigger": j["trigger"],
            "n": j["summary"]["n"],
            "eta": j["summary"]["eta"],
            "v": j["summary"]["v"],
            "reasons": j["reasons"],
        }
        for name, j in judged.items()
    ]
    nominated = [s["source_id"] for s in sources if s["verdict"] == "candidate"]
    payload = {
        "db": str(db),
        "epochs": len(epochs),
        "normalisation": methods,
        "sources": sources,
        "nominated": nominated,
    }

    def human() -> None:
        from rich.table import Table

        table = Table("source", "epochs", "eta", "V", "score", "ln BF", "verdict")
        for s in sources:
            numbers = ["-" if s[k] is None else f"{s[k]:.3g}" for k in ("eta", "v", "ese_score", "log_bf_lens")]
            table.add_row(s["source_id"], str(s["n"]), *numbers, s["verdict"])
        out.print(table)
        for name in nominated:
            out.print(f"{name}: {'; '.join(judged[name]['reasons'])}")

    emit(payload, json_output, human)
