"""Commands that plan and build images without a server: plan, build."""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nixery import settings
from nixery.cli.options import log_to_stderr, reported_errors, storage_of, with_config, with_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nixery.standalone.prepare import Tools
    from nixery.storage import Storage

with_tables = click.option(
    "--tables",
    "version",
    metavar="VERSION",
    help="Plan with this table of the storage instead of the current one.",
)


@click.command()
@with_config
@click.argument("image", metavar="IMAGE[:TAG]")
@with_tables
@with_json
def plan(file: Path | None, image: str, version: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Print the layers that a server with these settings would make, and why.

    Builds what the Nix store lacks. If a storage is set, uses the recorded plan of the image, or
    else the current tables of the storage. Writes nothing to the storage.
    """
    from nixery.standalone import report  # noqa: PLC0415
    from nixery.standalone.build import plan_only  # noqa: PLC0415
    from nixery.standalone.prepare import Order  # noqa: PLC0415

    with reported_errors(), _tools(file) as (tools, plans):
        found = plan_only(Order(image, version), tools, plans)
    click.echo(json.dumps(report.as_json(*found, tools)) if as_json else report.text(*found, tools))


@click.command()
@with_config
@click.argument("image", metavar="IMAGE[:TAG]")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Directory for an OCI layout, or file for a docker archive.",
)
@click.option("--format", "form", type=click.Choice(["oci", "docker"]), default="oci")
@with_tables
def build(file: Path | None, image: str, output: Path, form: str, version: str | None) -> None:
    """Build an image without a server: as an OCI layout, or as a file for docker load.

    The blobs and manifest of the layout are those that a server with these settings serves. The
    archive contains the same layers uncompressed, and the same config.
    """
    from nixery.standalone.build import build_archive, build_layout  # noqa: PLC0415
    from nixery.standalone.prepare import Order  # noqa: PLC0415

    write = build_layout if form == "oci" else build_archive
    with reported_errors(), _tools(file) as (tools, plans):
        made = write(Order(image, version), tools, plans, output)
    click.echo(made.manifest.digest if form == "oci" else made.config)


@contextmanager
def _tools(file: Path | None) -> "Iterator[tuple[Tools, Storage | None]]":
    """The tools that build images, and the server's storage if one is set."""
    from nixery import parts  # noqa: PLC0415

    given = settings.load(os.environ, file, needs_storage=False)
    log_to_stderr(given)
    tools = parts.make_tools(given, os.environ)
    with tools.workers:
        yield tools, storage_of(given, read_only=True) if given.has_storage else None
