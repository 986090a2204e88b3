"""`contimg source`: one source of the products database, or a list of them: numbers, plots, exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, emit, out

if TYPE_CHECKING:
    from dsa110_contimg.photometry.source import Source


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("source")(source)
    app.command("sources")(sources)


def source(
    source_id: Annotated[str, typer.Argument(help="Its name in the database.")],
    db: Annotated[Path | None, typer.Option(help="Products database; default: the configured one.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the light curve here (PNG, PDF).")] = None,
    band_plot: Annotated[Path | None, typer.Option(help="Draw the light curves of the parts of the band here.")] = None,
    cutouts: Annotated[Path | None, typer.Option(help="Draw the cutouts of its images here.")] = None,
    size_arcmin: Annotated[float, typer.Option(help="Side of the cutouts [arcmin].")] = 10.0,
    export: Annotated[Path | None, typer.Option(help="Write its measurements: .csv, .parquet or .vot.")] = None,
    regions: Annotated[Path | None, typer.Option(help="Write a region file: DS9, or Karma for .ann.")] = None,
    external: Annotated[list[str] | None, typer.Option(help="Ask simbad, ned, gaia or vizier; repeat.")] = None,
    radius_arcsec: Annotated[float, typer.Option(help="Radius of the question.")] = 5.0,
    timeout: Annotated[float, typer.Option(help="Longest wait for all services [s].")] = 30.0,
    json_output: JsonOption = False,
) -> None:
    """Show one source: position, statistics, verdict; draw and export what is asked for."""
    from dsa110_contimg.photometry.source import Source

    found = Source(source_id, products_db=db)
    if found.n_epochs == 0:
        raise CommandError(f"{source_id}: expected measurements, found none")
    written = _write(found, plot, band_plot, cutouts, size_arcmin, export, regions)
    judged = found.judge()
    payload: dict[str, Any] = {
        "source_id": source_id,
        "ra_deg": found.ra_deg,
        "dec_deg": found.dec_deg,
        "n_epochs": found.n_epochs,
        "n_detections": len(found.detections),
        "metrics": found.calc_variability_metrics(),
        "verdict": judged["verdict"],
        "reasons": judged["reasons"],
        "written": written,
    }
    if external:
        tables = found.crossmatch_external(radius_arcsec, external, timeout)
        payload["external"] = {k: None if t is None else t.to_dict("records") for k, t in tables.items()}

    def human() -> None:
        out.print(
            f"[bold]{source_id}[/]  RA {found.ra_deg:.5f}  Dec {found.dec_deg:+.5f}  [bold]{payload['verdict']}[/]"
        )
        out.print(f"{found.n_epochs} epochs, {payload['n_detections']} detections")
        metrics = payload["metrics"]
        for name in ("mean", "eta", "v", "vs_max", "m_max", "chi2_nu"):
            out.print(f"  {name:8s} {metrics[name]:.4g}")
        for reason in payload["reasons"]:
            out.print(f"  - {reason}")
        for kind, path in written.items():
            out.print(f"{kind}: {path}")
        for name, rows in payload.get("external", {}).items():
            out.print(f"{name}: {'no answer' if rows is None else rows}")

    emit(payload, json_output, human)


def _write(
    found: Source,
    plot: Path | None,
    band_plot: Path | None,
    cutouts: Path | None,
    size_arcmin: float,
    export: Path | None,
    regions: Path | None,
) -> dict[str, str]:
    """Write what was asked for; what was written, by kind."""
    written: dict[str, str] = {}
    if plot is not None:
        found.plot_lightcurve(save=True, outfile=plot)
        written["plot"] = str(plot)
    if band_plot is not None:
        found.plot_bands().savefig(band_plot, dpi=150)
        written["band_plot"] = str(band_plot)
    if cutouts is not None:
        found.show_all_cutouts(size_arcmin, epochs=20, outfile=cutouts)
        written["cutouts"] = str(cutouts)
    if export is not None:
        written["export"] = str(found.export(export))
    if regions is not None:
        written["regions"] = str(found.export_regions(regions))
    return written


def sources(
    db: Annotated[Path | None, typer.Option(help="Products database; default: the configured one.")] = None,
    verdict: Annotated[str | None, typer.Option(help="candidate, variable, steady or insufficient.")] = None,
    min_eta: Annotated[float | None, typer.Option(help="Least eta.")] = None,
    min_v: Annotated[float | None, typer.Option(help="Least V.")] = None,
    cone: Annotated[
        tuple[float, float, float] | None, typer.Option(help="RA, Dec and radius of a cone [degrees].")
    ] = None,
    eta_v: Annotated[Path | None, typer.Option(help="Draw the eta-V plane with its cuts here (PNG, PDF).")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the table: .csv, .parquet or .vot.")] = None,
    regions: Annotated[Path | None, typer.Option(help="Write a region file: DS9, or Karma for .ann.")] = None,
    json_output: JsonOption = False,
) -> None:
    """List sources by verdict, place or statistics; draw and export what is asked for."""
    from dsa110_contimg.photometry.sources import Query

    ra, dec, radius = cone or (None, None, None)
    found = Query(db, ra_deg=ra, dec_deg=dec, radius_deg=radius, verdict=verdict, min_eta=min_eta, min_v=min_v)
    written: dict[str, str] = {}
    if eta_v is not None:
        found.plot_eta_v().savefig(eta_v, dpi=150)
        written["eta_v"] = str(eta_v)
    if export is not None:
        written["export"] = str(found.export(export))
    if regions is not None:
        written["regions"] = str(found.export_regions(regions))
    names = ("source_id", "ra_deg", "dec_deg", "n_obs", "mean_flux_mjy", "eta", "v", "ese_score", "verdict")
    table = found.table.reindex(columns=list(names)).sort_values("eta", ascending=False)
    rows = table.to_dict("records")

    def human() -> None:
        from rich.table import Column, Table

        # On a narrow terminal the name gives way, not the numbers.
        heads = ("RA [deg]", "Dec [deg]", "n", "mJy", "eta", "V", "score", "verdict")
        shown = Table("source", *(Column(h, no_wrap=True, min_width=len(h)) for h in heads), padding=(0, 0))
        for row in rows:
            place = [f"{row['ra_deg']:.4f}", f"{row['dec_deg']:+.4f}"]
            numbers = [f"{row['mean_flux_mjy']:.3g}", f"{row['eta']:.3g}", f"{row['v']:.2g}", f"{row['ese_score']:.2f}"]
            shown.add_row(str(row["source_id"]), *place, str(row["n_obs"]), *numbers, str(row["verdict"]))
        out.print(shown)
        for kind, path in written.items():
            out.print(f"{kind}: {path}")

    emit({"n": len(rows), "sources": rows, "written": written}, json_output, human)
