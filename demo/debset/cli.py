"""The command: decides whether there is anything to do, and does it under a lock."""

import argparse
import fcntl
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CODE = Path(__file__).resolve().parent.parent
PROJECT = CODE.parent


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    output: Path = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    stamp = _stamp()
    with _locked(output / "lock"):
        # A whole set stays whole, even if the small selection is requested later.
        whole = options.whole or _was_whole(output)
        if not _is_made(output, stamp, whole=whole) and not _make(output, stamp, whole=whole):
            return 1
    if options.build or options.check:
        from debset.build import build  # noqa: PLC0415 - see above

        status = build(output, options.packages)
        if status == 0 and options.check:
            status = _check(output, options.packages)
        return status
    print(output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Makes the demo package set; scripts/demo --help says more.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=PROJECT / ".nixery/demo",
        help="where the set is made (default: .nixery/demo in the project)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="all packages, about 1 GB, as the benchmarks use; by default some 40 of them",
    )
    parser.add_argument(
        "--build",
        action="store_true",
        help="also build the packages with Nix, so that the first image need not",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="also build the packages and run each where there is nothing else",
    )
    parser.add_argument(
        "packages",
        nargs="*",
        metavar="PACKAGE",
        help="with --build and --check: only these (default: all of the selection)",
    )
    return parser


def _make(output: Path, stamp: str, *, whole: bool) -> bool:
    """Whether it worked; if not, the reason is printed."""
    # Imported here, so that finding nothing to do is quick.
    from fromdeb.deb import NotADeb  # noqa: PLC0415

    from debset.apt import AptFailed  # noqa: PLC0415
    from debset.graph import Unresolvable  # noqa: PLC0415
    from debset.make import make  # noqa: PLC0415

    try:
        make(CODE, output, stamp, whole=whole)
    except (AptFailed, NotADeb, Unresolvable, OSError) as failure:
        print(f"demo: no package set: {failure}", file=sys.stderr)
        return False
    except KeyboardInterrupt:
        print("demo: interrupted; the next run starts again", file=sys.stderr)
        return False
    return True


def _was_whole(output: Path) -> bool:
    """True also while the set is made again, because "whole" is written before that begins."""
    return (output / "whole").exists()


def _stamp() -> str:
    """Changes with every file of the maker and of the builder, and with the table."""
    code = [*CODE.glob("debset/*.py"), *CODE.glob("builder/**/*.py")]
    digest = hashlib.sha256()
    for path in sorted([*code, CODE / "default.nix", CODE / "packages.json"]):
        digest.update(f"{path.relative_to(CODE)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_made(output: Path, stamp: str, *, whole: bool) -> bool:
    """Whether the directory holds this selection, made by this code, with all files."""
    try:
        told = json.loads((output / "stamp").read_text())
        if told != {"code": stamp, "whole": whole}:
            return False
        made = json.loads((output / "set.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return all((output / "debs" / name).exists() for name in files_of(made))


def files_of(made: dict[str, Any]) -> set[str]:
    """The Debian packages that a set is made of."""
    nodes = [deb["file"] for node in made["nodes"].values() for deb in node["debs"]]
    return {*nodes, *(deb["file"] for deb in made["boot"]["debs"])}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One maker at a time; the lock ends with the process."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"demo: another run makes {path.parent}; waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check(output: Path, names: list[str]) -> int:
    """Runs the packages, each in a root that holds nothing else."""
    from debset.smoke import check  # noqa: PLC0415 - see main
    from debset.table import read  # noqa: PLC0415

    attributes = read(CODE / "packages.json").select(whole=_was_whole(output))
    wrong = check(output, [a for a in attributes if not names or a.name in names])
    for line in wrong:
        print(f"demo: {line}", file=sys.stderr)
    return 1 if wrong else 0
