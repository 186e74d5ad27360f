"""What the trees of store_trees give, everywhere and always.

Also a program that prints what they give here:

    python golden.py    →    gzip-4 sha256:0341… sha256:…
                             zstd-4-1.5.7 …

Where these change, every layer changes: raise FORMAT in archive.packer.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard
from store_trees import LARGE, TREE, make_store, top_level

from nixery.archive import Gzip, Uncompressed, Workers, Zstd, pack
from nixery.storage.memory import MemoryStorage

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
        "sha256:55c380dccd0dfbaef1bbe3623f379839e0aa0640f832b7fcbdc5ff3f488ed49d",
        "sha256:f7a4f76ba4e726369af30417bf774abdba9a5bb9fb23a18eff3e29ec25121db5",
    ),
    (1, 5, 7): (
        "sha256:3d4803d153c5a905ac30506d57173c5e122d3be50df6f475c26d30d3a69df30b",
        "sha256:2699eb2b4b2f6423b6e0a9e71f94b9ffe31894c91ec0088b082a705085cb1a31",
    ),
}
ZSTD[1, 5, 6] = ZSTD[1, 5, 5]

DIGESTS = {"gzip": GZIP, "zstd": ZSTD.get(zstandard.ZSTD_VERSION), "none": DIFF_IDS}
"""By kind; None where nobody has written down what this release gives."""


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
