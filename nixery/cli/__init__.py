"""The command line. Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.

options.py    options and helpers that commands share
storage.py    gc, verify, tables
images.py     plan, build
popcount.py   popcount
"""

import os
from pathlib import Path

import click

from nixery import __version__, settings
from nixery.cli.images import build, plan
from nixery.cli.options import reported_errors, with_config
from nixery.cli.popcount import popcount
from nixery.cli.storage import gc, tables, verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nixery")
def main() -> None:
    """A container registry that builds images on demand out of Nix packages.

    Settings are environment variables; docs/configuration.md lists them.
    """


for command in (popcount, plan, build, gc, verify, tables):
    main.add_command(command)


@main.command()
@with_config
def serve(file: Path | None) -> None:
    """Serve images until SIGTERM or SIGINT."""
    # Commands import what they need when they run, so that `nixery --help` does not load a web
    # server.
    from nixery import service  # noqa: PLC0415

    with reported_errors():
        service.serve(settings.load(os.environ, file), os.environ)
