"""The cost of an image's first manifest, against `tar | gzip -6 | sha256sum` of its closure.

The store paths exist and are in the page cache; storage and state are empty; blobs are flushed to
disk. So the figures cover evaluation, queries to the store, packing, hashing, compression and
fsync. Both run alternately and medians are compared, so that other load affects both.

    time_ratio        seconds of the request / seconds of the pipeline
    cpu_ratio         CPU seconds of the server and its children / of the pipeline's processes
    bytes_ratio       bytes of all layers / bytes of the pipeline's gzip
    peak_rss_mb       the server's own peak memory, MiB, the maximum of all runs
    speedup_2_workers seconds of the request with 1 worker / with 2, the median of alternating pairs
    group_10k_ms      milliseconds to plan the layers of 10,000 store paths
    closure_mib       size of the packed store paths (NAR size)
    yardstick_spread  (slowest - fastest) / median of the pipeline's seconds; above 0.1 the machine
                      was too busy for time_ratio, and cpu_ratio decides
"""

import argparse
import json
import os
import resource
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, get_args

from zstandard import ZstdDecompressor

from benchmarks.grouping import group_10k_ms
from benchmarks.server import Server, running
from nixery.oci import LayerCompression

PROJECT = Path(__file__).resolve().parent.parent
PIPELINE = (
    "tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime=@1"
    ' --directory="$STORE_ROOT" --files-from="$PATHS" | gzip -6 | '
)


@dataclass(frozen=True, slots=True)
class Run:
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Closure:
    """Store paths as they are in an image, with their size in bytes."""

    paths: tuple[str, ...]
    nar_size: int
    gzip_size: int


def main() -> None:
    options = _parser().parse_args()
    settings = {"NIXERY_COMPRESSION": options.compression}
    if options.workers:
        settings["NIXERY_PACK_WORKERS"] = str(options.workers)
    image = json.loads((PROJECT / "demo/images.json").read_text())[options.image]["name"]
    # In the project's directory and not in /tmp, which may be a tmpfs: fsync is part of the cost.
    (PROJECT / ".nixery").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=PROJECT / ".nixery") as scratch:
        result = measure(image, options.runs, Path(scratch), settings)
    print(json.dumps(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench cold",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="pairs of runs (5)")
    parser.add_argument(
        "--image", choices=["1", "5", "20"], default="20", help="packages in the image (20)"
    )
    parser.add_argument(
        "--compression",
        choices=get_args(LayerCompression),
        default="gzip",
        metavar="KIND",
        help="gzip (default), zstd or none, at its default level",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="layers packed at the same time (the cores)"
    )
    return parser


def measure(image: str, runs: int, scratch: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """Prints a row for each of the ``runs``; returns the figures. ``settings`` are the server's."""
    # Builds what is missing, fills the page cache, and returns the image's contents.
    with _fresh_server(scratch / "first", settings) as server:
        manifest = server.manifest(image).body
        closure = _weigh(_packed_paths(server, image, json.loads(manifest)), scratch)
    layers = [layer["size"] for layer in json.loads(manifest)["layers"]]
    print(f"{image}: {len(closure.paths)} store paths in {len(layers)} layers")
    print(
        f"{'':>5}{'nixery s':>10}{'CPU s':>8}{'pipeline s':>12}{'CPU s':>8}{'peak MiB':>10}"
        f"{'1 worker s':>12}{'2 s':>8}"
    )

    ours, yardstick, peaks, speedups = [], [], [], []
    for number in range(runs):

        def first_pull(name: str, **more: str) -> tuple[Run, float]:
            with _fresh_server(scratch / name, {**settings, **more}) as server:
                answer = server.manifest(image)
                assert answer.body == manifest, "the same image must be the same bytes"
                return Run(answer.wall, answer.cpu), server.peak_rss()

        run, peak = first_pull(str(number))
        ours.append(run)
        peaks.append(peak)
        yardstick.append(_pipeline(scratch))
        # The order alternates as well.
        walls = {
            workers: first_pull(f"{number}-{workers}", NIXERY_PACK_WORKERS=workers)[0].wall
            for workers in ("12" if number % 2 else "21")
        }
        speedups.append(walls["1"] / walls["2"])
        print(
            f"{number + 1:>5}{ours[-1].wall:>10.2f}{ours[-1].cpu:>8.2f}"
            f"{yardstick[-1].wall:>12.2f}{yardstick[-1].cpu:>8.2f}{peaks[-1]:>10.0f}"
            f"{walls['1']:>12.2f}{walls['2']:>8.2f}"
        )
    seconds = [run.wall for run in yardstick]
    return {
        "time_ratio": round(median(run.wall for run in ours) / median(seconds), 3),
        "cpu_ratio": round(
            median(run.cpu for run in ours) / median(run.cpu for run in yardstick), 3
        ),
        "bytes_ratio": round(sum(layers) / closure.gzip_size, 3),
        "peak_rss_mb": round(max(peaks), 1),
        "speedup_2_workers": round(median(speedups), 2),
        "group_10k_ms": group_10k_ms(),
        "closure_mib": round(closure.nar_size / 2**20),
        "yardstick_spread": round((max(seconds) - min(seconds)) / median(seconds), 3),
    }


def _fresh_server(directory: Path, settings: Mapping[str, str]) -> AbstractContextManager[Server]:
    return running(directory / "storage", directory / "state", **settings)


def _packed_paths(server: Server, image: str, manifest: dict[str, Any]) -> tuple[str, ...]:
    """The store paths in the layers: what was packed, instead of what should have been."""
    found = set()
    for layer in manifest["layers"]:
        blob = server.get(f"/v2/{image}/blobs/{layer['digest']}").body
        with tarfile.open(fileobj=_tar(blob, layer["mediaType"]), mode="r:*") as archive:
            parts = (member.name.split("/") for member in archive)
            found |= {"/".join(part[:3]) for part in parts if part[:2] == ["nix", "store"]}
    return tuple(sorted(path for path in found if path.count("/") == 2))


def _tar(blob: bytes, media_type: str) -> BytesIO:
    """For tarfile, which reads gzip but not zstd."""
    if not media_type.endswith("zstd"):
        return BytesIO(blob)
    frames = ZstdDecompressor().stream_reader(blob, read_across_frames=True)
    return BytesIO(frames.read())


def _weigh(paths: tuple[str, ...], scratch: Path) -> Closure:
    (scratch / "paths").write_text("".join(f"{path}\n" for path in paths))
    sizes = subprocess.run(
        ["nix-store", "--query", "--size", *(f"/{path}" for path in paths)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()
    gzip_size = _shell(PIPELINE + "wc --bytes", scratch)
    return Closure(paths, sum(map(int, sizes)), int(gzip_size))


def _pipeline(scratch: Path) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = perf_counter()
    _shell(PIPELINE + "sha256sum", scratch)
    wall = perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _shell(command: str, scratch: Path) -> str:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PATHS": str(scratch / "paths"), "STORE_ROOT": _store_root()},
    ).stdout


def _store_root() -> str:
    """The directory that holds /nix/store: under NIX_REMOTE where that names a directory."""
    remote = os.environ.get("NIX_REMOTE", "")
    return remote if remote.startswith("/") else "/"


if __name__ == "__main__":
    main()
