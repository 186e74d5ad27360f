"""The command line. Exit codes: 0, 1 failed, 2 wrong use or configuration.

options.py   what commands have in common: options, the storage, failures as one line
storage.py   gc, verify, tables
images.py    plan, build
"""

import os
from pathlib import Path

import click

from nixery import __version__, settings
from nixery.cli.images import build, plan
from nixery.cli.options import told, with_config
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
    """Serve images until a signal ends it."""
    # Imported here, and so in all commands: `nixery --help` need not wait for a web server to load.
    from nixery import service  # noqa: PLC0415

    with told():
        service.serve(settings.load(os.environ, file), os.environ)
