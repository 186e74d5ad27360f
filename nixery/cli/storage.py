"""Commands that maintain the storage: gc, verify, tables."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from nixery import settings
from nixery.cli.options import open_storage, parsed, reported_errors, with_config, with_json
from nixery.human_units import parse_age, parse_size


@click.command()
@with_config
@click.option(
    "--keep-bytes",
    callback=parsed(parse_size),
    metavar="SIZE",
    help="Remove the least recently pulled images until this size is left, such as 50G.",
)
@click.option(
    "--older-than",
    callback=parsed(parse_age),
    metavar="AGE",
    help="Remove images not pulled within this time, such as 30d.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be removed, and change nothing.")
@with_json
def gc(
    file: Path | None,
    keep_bytes: int | None,
    older_than: float | None,
    dry_run: bool,  # noqa: FBT001 - click gives them by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Remove images from the storage; servers may run at the same time.

    Removes images and everything that no other image needs. Keeps what was stored within the last
    24 hours or pulled today (UTC), and everything that a Go server stored.
    """
    from nixery.gc import KeepBytes, OlderThan, Policy, collect, report  # noqa: PLC0415

    policy: Policy
    match keep_bytes, older_than:
        case int(size), None:
            policy = KeepBytes(size)
        case None, float(age):
            policy = OlderThan(age)
        case _:
            raise click.UsageError("give either --keep-bytes or --older-than")
    with reported_errors():
        storage = open_storage(file, read_only=dry_run)
        if not storage.conditional and not dry_run:
            click.echo(
                "nixery: this storage has no conditional writes: stop all builds while gc runs",
                err=True,
            )
        outcome = collect(storage, policy, dry_run=dry_run)
    click.echo(json.dumps(report.as_json(outcome)) if as_json else report.text(outcome, policy))


@click.command()
@with_config
@with_json
def verify(file: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click gives it by name
    """Compare every blob with its digest; servers may run at the same time.

    Moves damaged blobs to quarantine; they are built again when their image is requested. Exits
    with 1 if anything was damaged or missing.
    """
    from nixery import verify as verifying  # noqa: PLC0415

    with reported_errors(), ExitStack() as stack:

        def progress(size: int) -> verifying.Progress:
            return stack.enter_context(
                click.progressbar(length=size, label="reading", file=sys.stderr)
            ).update

        storage = open_storage(file)
        findings = verifying.verify(storage, progress if sys.stderr.isatty() else None)
    click.echo(json.dumps(verifying.as_json(findings)) if as_json else verifying.text(findings))
    sys.exit(0 if findings.is_well else 1)


@click.group(invoke_without_command=True)
@with_config
@click.option("--all", "every", is_flag=True, help="Also show stored tables that are not current.")
@with_json
@click.pass_context
def tables(
    context: click.Context,
    file: Path | None,
    every: bool,  # noqa: FBT001 - click gives them by name
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show the tables that all servers of this storage plan new images with."""
    from nixery.tables import stored  # noqa: PLC0415

    if context.invoked_subcommand is None:
        with reported_errors():
            found = stored.tables(open_storage(file, read_only=True))
        click.echo(json.dumps(found) if as_json else stored.text(found, every=every))


@tables.command()
@with_config
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
def publish(file: Path | None, paths: tuple[Path, ...]) -> None:
    """Publish tables written by nixery popcount. Existing images keep their layers."""
    from nixery.tables import files  # noqa: PLC0415

    with reported_errors():
        for kind, pointer in files.publish(open_storage(file), paths).items():
            click.echo(f"{kind} {pointer.version}")


@tables.command()
@with_config
@click.argument("version")
def restore(file: Path | None, version: str) -> None:
    """Make a stored table the current one. nixery tables --all lists the versions."""
    from nixery.tables import stored  # noqa: PLC0415

    with reported_errors():
        kind = stored.restore(open_storage(file), version)
    click.echo(f"{kind} {version}")


@tables.command()
@with_config
def learn(file: Path | None) -> None:
    """Learn units from the requested images, as servers do; publish a table that saves enough."""
    from nixery.learning.schedule import learn_once  # noqa: PLC0415

    with reported_errors():
        budget = settings.load(os.environ, file, needs_source=False).layer_budget
        learned = learn_once(open_storage(file), budget)
    if learned.is_new:
        click.echo(f"units {learned.current}, learned from {learned.images} images")
    else:
        click.echo(f"no table learned from {learned.images} images saves enough to be published")
