"""Fake of the image service: images made of a few bytes, without Nix."""

from collections.abc import Mapping

from nixery import manifest
from nixery.builder import Image
from nixery.errors import PackageNotFound
from nixery.image_name import ImageRequest, parse, parse_tag
from nixery.oci import LayerCompression, PackedLayer, digest_of
from nixery.source import ResolvedSource
from nixery.storage import Storage, put

REVISION = "0123456789abcdef0123456789abcdef01234567"
SOURCE = ResolvedSource("https://packages.test/set", revision=REVISION, identity=REVISION)


def stored_image(
    storage: Storage,
    *layers: bytes,
    source: ResolvedSource = SOURCE,
    name: str = "hello",
    compression: LayerCompression = "gzip",
) -> Image:
    """An image of these layers, with its blobs and manifests in the storage."""
    request: ImageRequest = parse(name)
    packed = [
        PackedLayer(put(storage, data).digest, digest_of(data), len(data), compression)
        for data in layers
    ]
    config = manifest.config(packed, request, (), [()] * (len(packed) - 1))
    put(storage, config)
    manifests = manifest.in_all_formats(packed, config)
    for made in manifests.values():
        put(storage, made.data)
    return Image(source, manifests)


class FakeImages:
    """Returns images by name from a dictionary, for every tag; raises errors in it.

    ``asked`` lists name and tag of every request with a valid name, in order.
    """

    def __init__(self, answers: Mapping[str, Image | Exception]) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[str, str]] = []

    async def image(self, name: str, tag: str) -> Image:
        parse(name)
        parse_tag(tag)
        self.asked.append((name, tag))
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise PackageNotFound(f"package {name} is not in the package set")
        return answer
