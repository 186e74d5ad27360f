"""Memory does not grow with the size of the packed paths."""

import subprocess
import sys

import pytest
from support.archive.store_trees import make_store

PROGRAM = """
import sys
from pathlib import Path

from nixery.archive import Workers, compression_of, pack
from nixery.storage.filesystem import FilesystemStorage

compression, root, paths = compression_of(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
with Workers(2) as workers:
    pack(paths, root, FilesystemStorage(root / "storage"), compression, workers)
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""


def peak_mb(kind, root, *paths):
    """Peak resident memory of a separate process that packs the paths."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, root, *paths],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout) / 1024


@pytest.mark.parametrize(
    "megabytes",
    [pytest.param(64, id="64 MB"), pytest.param(1000, id="1 GB", marks=pytest.mark.full)],
)
@pytest.mark.parametrize(("kind", "peak"), [("gzip", 60), ("zstd", 80)])
def test_memory_does_not_grow_with_a_layer(tmp_path, megabytes, kind, peak):
    """Two equal files, so that one is read for comparison and the other for the archive.

    They are sparse; their zeros are read, hashed and compressed like other bytes.
    """
    names = (b"big/1", b"big/2")
    make_store(tmp_path, dict.fromkeys(names, b""))
    for name in names:
        with (tmp_path / "nix/store" / name.decode()).open("r+b") as file:
            file.truncate(megabytes << 20)
    assert peak_mb(kind, tmp_path, "/nix/store/big") < peak
