"""Options and helpers that the commands share."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nixery import settings
from nixery.errors import ConfigurationError, NixeryError

if TYPE_CHECKING:
    from nixery.storage import Storage


Parsed = Callable[[click.Context, click.Parameter, str | None], float | None]


def parsed(parse: Callable[[str], float]) -> Parsed:
    """Callback of an option: turns the ValueError of ``parse`` into a usage error."""

    def convert(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return convert


with_config = click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read settings from this TOML file; environment variables take precedence.",
)
with_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")


def open_storage(file: Path | None, *, read_only: bool = False) -> "Storage":
    """The storage of a server, for maintenance commands."""
    given = settings.load(os.environ, file, needs_source=False)
    log_to_stderr(given)
    return storage_of(given, read_only=read_only)


def storage_of(given: settings.Settings, *, read_only: bool) -> "Storage":
    """The configured storage. Raises ConfigurationError if its directory does not exist."""
    from nixery import backends  # noqa: PLC0415

    path = given.storage_path
    if given.storage_backend == "filesystem" and path and not path.is_dir():
        raise ConfigurationError(f"STORAGE_PATH={path}: this directory does not exist")
    return backends.connect_storage(given) if read_only else backends.open_storage(given)


def log_to_stderr(given: settings.Settings) -> None:
    """Logs to stderr, so that stdout holds the command's output only."""
    from nixery.logs.setup import configure_logging  # noqa: PLC0415

    configure_logging(sys.stderr, json=not sys.stderr.isatty(), level=given.log_level)


@contextmanager
def reported_errors() -> Iterator[None]:
    """Prints failures as one line and exits with 1, or 2 for configuration errors."""
    try:
        yield
    except ConfigurationError as error:
        click.echo(f"nixery: {error.message}", err=True)
        sys.exit(2)
    except (NixeryError, OSError) as error:
        click.echo(f"nixery: {error}", err=True)
        sys.exit(1)
