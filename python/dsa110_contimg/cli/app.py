"""The command `contimg`: finds its commands, runs them, and turns errors into one line and an exit code."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Sequence

import typer

from dsa110_contimg import ContimgError, __version__
from dsa110_contimg.cli.console import CommandError, err

#: Base of what a wrong command line raises: typer exports only its grandchild, and may carry its own click.
_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]

#: Exit code after Ctrl-C, as the shell has it.
_INTERRUPTED = 130

#: Modules of this package with a ``register(app)``, in the order of the pipeline.
COMMANDS = (
    "demo",
    "run",
    "doctor",
    "groups",
    "convert",
    "ms",
    "simulate",
    "flag",
    "model",
    "solve",
    "apply",
    "selfcal",
    "delays",
    "registry",
    "refant",
    "predict",
    "image",
    "dynspec",
    "tile",
    "mosaic",
    "beam",
    "qa",
    "catalog",
    "photometry",
    "normalize",
    "source",
    "ese",
    "lightcurves",
    "candidates",
    "caltables",
    "transits",
    "iers",
    "database",
)


def build(command: str | None = None) -> typer.Typer:
    """The typer application with every command that this installation has, or only `command` where its file has that name.

    The other commands and what they import take longer to load than some commands run.
    """
    app = typer.Typer(
        name="contimg",
        help="Continuum imaging and light curves for the DSA-110: UVH5 in, ESE candidates out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Rich's own markup takes "[arcsec]" for a style and swallows it.
        rich_markup_mode="markdown",
        add_completion=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(__version__)
            raise typer.Exit

    @app.callback()
    def options(
        version: bool = typer.Option(
            False, "--version", help="Print the version and stop.", is_eager=True, callback=show_version
        ),
        log_level: str = typer.Option(
            None, "--log-level", help="DEBUG, INFO, WARNING or ERROR.", envvar="CONTIMG_LOG_LEVEL"
        ),
        threads: int = typer.Option(
            0, "--threads", min=0, help="Threads of the core; 0 takes all cores.", envvar="CONTIMG_THREADS"
        ),
    ) -> None:
        _configure(log_level, threads)

    package = __name__.rpartition(".")[0]
    for name in (command,) if command in COMMANDS else COMMANDS:
        if importlib.util.find_spec(f"{package}.{name}") is not None:
            importlib.import_module(f"{package}.{name}").register(app)
    return app


def _configure(log_level: str | None, threads: int) -> None:
    from rich.logging import RichHandler

    from dsa110_contimg import _core

    level = (log_level or "WARNING").upper()
    known = ("DEBUG", "INFO", "WARNING", "ERROR")
    if level not in known:
        close = difflib.get_close_matches(level, known, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise CommandError(f"--log-level: expected one of {', '.join(known)}, found {log_level!r}{hint}")
    logging.basicConfig(
        level=level, format="%(message)s", handlers=[RichHandler(console=err, show_path=False)], force=True
    )
    _core.reset_logging()
    if threads:
        _core.set_threads(threads)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `contimg`.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name; `sys.argv` when left out.

    Returns
    -------
    int
        0 on success, 1 on failure, 2 on a wrong command line, 130 when interrupted.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command = typer.main.get_command(build(argv[0] if argv else None))
        code = command.main(args=argv, prog_name="contimg", standalone_mode=False)
    except _CommandLineError as error:
        error.show()  # type: ignore[attr-defined]
        return int(error.exit_code)  # type: ignore[attr-defined]
    except (typer.Abort, KeyboardInterrupt):
        err.print("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout went away; nothing more can be told to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandError, ContimgError, ValueError, OSError, ModuleNotFoundError) as error:
        return _report(error, "--json" in argv)
    if code == _INTERRUPTED:
        # typer turns Ctrl-C into this code without a word.
        err.print("interrupted")
    return int(code) if isinstance(code, int) else 0


def _report(error: Exception, json_output: bool) -> int:
    text = str(error) or type(error).__name__
    if json_output:
        payload = getattr(error, "payload", {})
        typer.echo(json.dumps({**payload, "error": text, "type": type(error).__name__}))
    err.print(f"[bold red]error:[/] {_escape(text)}", soft_wrap=True)
    logging.getLogger(__name__).debug("traceback", exc_info=error)
    return 1


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
