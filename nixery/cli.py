"""The command line. Exit codes: 0, 1 failed, 2 wrong use or configuration."""

import os
import sys
from pathlib import Path

import click

from nixery import __version__, settings
from nixery.errors import ConfigurationError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nixery")
def main() -> None:
    """A container registry that builds images on demand out of Nix packages.

    Settings are environment variables; docs/configuration.md lists them.
    """


@main.command()
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file with settings under the same names; the environment wins.",
)
def serve(file: Path | None) -> None:
    """Serve images until a signal ends it."""
    # Imported here: `nixery --help` need not wait for a web server to load.
    from nixery import service  # noqa: PLC0415

    try:
        service.serve(settings.load(os.environ, file), os.environ)
    except ConfigurationError as error:
        click.echo(f"nixery: {error.message}", err=True)
        sys.exit(2)
