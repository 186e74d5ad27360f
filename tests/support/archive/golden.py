"""Golden digests of the trees in store_trees, equal on every machine.

Also a program that prints the digests of this version:

    python -m support.archive.golden    →    gzip-4 sha256:0341… sha256:…
                                          zstd-3-1.5.7 …

If these change, every layer changes: raise LAYER_FORMAT in archive.packer.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from nixery.archive import Gzip, Uncompressed, Workers, Zstd, pack
from nixery.storage.memory import MemoryStorage
from support.archive.store_trees import LARGE, TREE, make_store, top_level

KINDS = (Gzip(), Zstd(), Uncompressed())
TREES = (TREE, LARGE)

DIFF_IDS = (
    "sha256:3b7ca4fbeb03903c0e4afe08b7dda0aa9fb501e68075fcfaf1429a184ec40ade",
    "sha256:3d7f790746364903e71c90745a3ee6bae97f1f4f0143f47416685509d5b4e18d",
)
# Move with libdeflate as well, whose authors may compress better one day.
GZIP = (
    "sha256:0341af19a32bc71acd4584414c3baf8e59f1f1efaede812b24ba9e281105908e",
    "sha256:d183b30efad87334f168af713ee3152960730fa98192857df617c9118d3c6ba5",
)
# By release of zstd. It is a part of the layer's key, so a new one needs no new FORMAT.
ZSTD = {
    (1, 5, 5): (
        "sha256:c03b8056844f079d2ccb81d806c1d64077d2437277d1dd90a99502ee84728c67",
        "sha256:51510ff07061f408659b48c1856339ee50a952b041150d606bab54131ef4d242",
    ),
    (1, 5, 7): (
        "sha256:04ea5753a586c067aea6f6d327dd99c0e8e161081cb2c8ae034f215ae4cc3c93",
        "sha256:f9ffe6df50c98c877b8135a007f300e81d7567864f19336ea76162c448dcf204",
    ),
}
ZSTD[1, 5, 6] = ZSTD[1, 5, 5]

DIGESTS = {"gzip": GZIP, "zstd": ZSTD.get(zstandard.ZSTD_VERSION), "none": DIFF_IDS}
"""By kind; None if this release has no recorded digests."""


def main():
    with TemporaryDirectory() as root, Workers(2) as workers:
        make_store(root, LARGE)
        for compression in KINDS:
            layers = [
                pack(top_level(tree), Path(root), MemoryStorage(), compression, workers)
                for tree in TREES
            ]
            print(compression.key, *(layer.digest for layer in layers))  # noqa: T201


if __name__ == "__main__":
    main()
