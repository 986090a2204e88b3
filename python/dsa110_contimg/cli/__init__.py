"""Command line `contimg`: one file a command, each parses, reads the configuration and calls the package."""

from dsa110_contimg.cli.app import main

__all__ = ["main"]
