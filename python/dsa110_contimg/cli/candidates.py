"""`contimg candidates`: what was nominated, and what people say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("candidates")(candidates)


def candidates(
    db: Annotated[Path, typer.Argument(help="Products database.")],
    source: Annotated[str | None, typer.Argument(help="Source to flag, mark or note; all are listed without.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Mark the source, or list only these: active, investigated, dismissed.")
    ] = None,
    flag: Annotated[bool, typer.Option("--flag", help="Make the source a candidate by hand.")] = False,
    vote: Annotated[str | None, typer.Option(help="up or down.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Repeat for more.")] = None,
    comment: Annotated[str | None, typer.Option(help="Text.")] = None,
    author: Annotated[str, typer.Option(envvar="USER", help="Who says so.")] = "",
    json_output: JsonOption = False,
) -> None:
    """List candidates, or flag one by hand, mark it, vote, tag and comment."""
    from dsa110_contimg.database import open_database
    from dsa110_contimg.photometry import candidates as store

    if not db.is_file():
        raise CommandError(f"{db}: expected a products database, found none")
    handle = open_database(db, "products")
    if source is None and (flag or vote or tag or comment):
        raise CommandError("expected a source to flag or note, found none")
    if source is not None:
        try:
            if flag:
                store.flag(handle, source, author, comment or "")
            if status is not None:
                store.set_status(handle, source, status)
            for kind, bodies in (("vote", [vote]), ("tag", tag or []), ("comment", [comment])):
                for body in bodies:
                    if body is not None:
                        store.note(handle, source, kind, author, body)
        except ValueError as error:
            raise CommandError(str(error)) from error
    rows = store.candidates(handle, status=status if source is None else None)
    rows = [r for r in rows if source is None or r["source_id"] == source]

    def human() -> None:
        from rich.table import Table

        table = Table("source", "by", "status", "sigma", "ln BF", "depth", "votes", "tags", "notes")
        for r in rows:
            numbers = ["-" if r[k] is None else f"{r[k]:.3g}" for k in ("significance", "log_bf_lens", "depth")]
            votes = f"+{r['up']} -{r['down']}"
            texts = [r["notes"] or "", *(f"{c['author']}: {c['body']}" for c in r["comments"])]
            table.add_row(
                r["source_id"], r["flagged_by"], r["status"], *numbers, votes, ", ".join(r["tags"]), "; ".join(texts)
            )
        out.print(table)

    emit({"db": str(db), "candidates": rows}, json_output, human)
