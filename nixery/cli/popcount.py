"""The popcount commands: ``nixery popcount store PATH…``, ``nixery popcount channel URL``."""

import logging
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import click

from nixery.closure import Closure, StorePath
from nixery.errors import NixeryError
from nixery.layers import tables
from nixery.learning.learn import BUDGETS
from nixery.popcount import count
from nixery.tables.request_record import encode

with_output = click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("popcount"),
    show_default=True,
    help="Directory for popularity.json, units.json and start.json.",
)
with_start = click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the packages that users pull most: names of store paths without hash, with or "
    "without version, one per line; # starts a comment. Default: random packages.",
)


@click.group()
def popcount() -> None:
    """Analyse a package set: count references, and find packages that occur together.

    Publish the resulting files with nixery tables publish. NIX_POPULARITY_URL accepts
    popularity.json.
    """


@popcount.command()
@click.argument("paths", nargs=-1, required=True)
@with_start
@with_output
def store(paths: tuple[str, ...], start: Path | None, output: Path) -> None:
    """Analyse store paths of this machine and everything they refer to.

    PATH may be a link into the store, such as the result of nix-build.
    """
    import anyio  # noqa: PLC0415 - the other command needs none of these

    from nixery.logs.setup import configure_logging  # noqa: PLC0415
    from nixery.nix.client import Evaluation, Nix  # noqa: PLC0415
    from nixery.popcount.local import in_store  # noqa: PLC0415

    configure_logging(sys.stderr, json=not sys.stderr.isatty())
    names = _names(start)
    # These are the user's own store paths, and nothing is evaluated.
    nix = Nix(environment=os.environ, evaluation=Evaluation(confined=False))
    try:
        graph = anyio.run(nix.closure, [in_store(path) for path in paths])
    except NixeryError as error:
        _fail(error.message)
    _write(graph, names, output)


@popcount.command()
@click.argument("url")
@click.option("--cache", "cache_url", help="URL of the binary cache, if it is not the channel's.")
@click.option("--connections", type=click.IntRange(1, 256), default=32, show_default=True)
@with_start
@with_output
def channel(
    url: str, cache_url: str | None, connections: int, start: Path | None, output: Path
) -> None:
    """Analyse a channel, such as https://channels.nixos.org/nixos-unstable.

    Answers of the binary cache are kept in OUTPUT/narinfo.jsonl, so a second run requests only what
    is missing.
    """
    from nixery.popcount.channel import Cache, cache_of, closure_of, graph, listed  # noqa: PLC0415
    from nixery.popcount.journal import Journal  # noqa: PLC0415

    # urllib3 logs every retry. A failure after the last retry is an error with a message of its
    # own.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    names = _names(start)
    try:
        with closing(Cache(url)) as pages:
            paths = listed(pages)
            _warn_unlisted(url, paths, names)
            place = cache_url or cache_of(pages)
        with (
            closing(Cache(place, connections)) as cache,
            Journal(output / "narinfo.jsonl").opened() as kept,
        ):
            _show(graph(paths, cache.info, kept, connections), len(paths))
            found = closure_of(paths, kept)
    except NixeryError as error:
        _fail(error.message)
    except OSError as error:
        _fail(f"cannot write to {output}: {error}")
    missing = sum(info is None for info in kept.known.values())
    if missing:
        click.echo(f"{missing} store paths are not in {place} and were skipped", err=True)
    if not found.paths:
        _fail(f"{place} has no store path that {url} lists: name the right cache with --cache")
    _write(found, names, output)


def _show(left: Iterable[int], expected: int) -> None:
    """A progress bar on a terminal; its length grows as paths are discovered."""
    with click.progressbar(length=expected, label="store paths", file=sys.stderr) as bar:
        for waiting in left:
            bar.length = max(expected, bar.pos + waiting)
            bar.update(max(0, bar.length - waiting - bar.pos))


def _names(start: Path | None) -> list[str]:
    try:
        lines = start.read_text().splitlines() if start else []
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--start {start} cannot be read: {error}") from None
    return [name for line in lines for name in line.partition("#")[0].split()]


def _warn_unlisted(url: str, paths: Iterable[StorePath], names: Iterable[str]) -> None:
    """Warns before 100,000 requests are made: a name may be wrong, or that of a dependency."""
    unlisted = [name for name, path in count.find(paths, names).items() if path is None]
    if unlisted:
        click.echo(
            f"{url} does not list {' '.join(unlisted)}; unless a listed path refers to it, "
            "this command will fail at the end",
            err=True,
        )


def _write(graph: Closure, names: list[str], output: Path) -> None:
    try:
        starting = count.starting_list(graph, names)
    except LookupError as error:
        raise click.UsageError(f"the package set has no {error.args[0]}") from None
    try:
        output.mkdir(parents=True, exist_ok=True)
        popularity = count.popularity(graph)
        steps = count.units(graph, starting)
        with click.progressbar(steps, 1 + len(BUDGETS), label="units", file=sys.stderr) as bar:
            *_, units = bar
        _write_all(
            output,
            {
                "popularity": tables.encode_popularity(popularity),
                "units": tables.encode_units(units),
                "start": encode(count.start(graph, starting)),
            },
        )
    except OSError as error:
        _fail(f"cannot write to {output}: {error}")
    click.echo(
        f"{len(graph.paths)} store paths, {len(popularity.counts)} of them referred to; "
        f"{len(units.units)} units of {len(starting)} packages"
    )


def _write_all(output: Path, found: Mapping[str, bytes]) -> None:
    """Tables of one run belong together, so all are written before any is renamed into place."""
    for kind, data in found.items():
        (output / f"{kind}.json.part").write_bytes(data)
    for kind, data in found.items():
        file = (output / f"{kind}.json.part").rename(output / f"{kind}.json")
        click.echo(f"{file}  {len(data)} bytes, version {tables.version(data)}")


def _fail(message: str) -> NoReturn:
    click.echo(f"nixery: {message}", err=True)
    sys.exit(1)
