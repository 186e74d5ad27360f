"""A damaged blob is never served: it is refused, made again and kept aside."""

import json

import pytest
from support.proofs.broken import NeverLooks
from support.proofs.honesty import visible_lies
from support.proofs.web import OCI, restarted, sha256
from support.registry import Registry

from nixery.oci import hexdigits
from nixery.storage import layer_key
from nixery.storage.filesystem import FilesystemStorage

pytestmark = pytest.mark.anyio

DAMAGES = ("flipped", "truncated", "zeroed", "swapped", "deleted")
BLOBS = {False: 5, True: 100}


class Rotting:
    """A registry with one stored image, whose blobs a test damages."""

    def __init__(self, directory, storage_class):
        self.registry = Registry(directory)
        self.storage_class = storage_class
        self.directory = directory / "storage"
        self.restart()

    def restart(self):
        self.registry.storage = self.storage_class(self.directory)

    def damage(self, kind, draw):
        """The damaged files, by digest."""
        manifest, blobs = self.blobs()
        blobs.append(manifest)
        digest = draw.choice(blobs)
        path = self.directory / layer_key(digest)
        data = path.read_bytes()
        match kind:
            case "flipped":
                place = draw.randrange(len(data))
                changed = data[place] ^ (1 << draw.randrange(8))
                path.write_bytes(data[:place] + bytes([changed]) + data[place + 1 :])
            case "truncated":
                path.write_bytes(data[: draw.randrange(len(data))])
            case "zeroed":
                path.write_bytes(bytes(len(data)))
            case "swapped":
                other = draw.choice([blob for blob in blobs if blob != digest])
                theirs = self.directory / layer_key(other)
                path.write_bytes(theirs.read_bytes())
                theirs.write_bytes(data)
                return [digest, other]
            case "deleted":
                path.unlink()
        return [digest]

    def blobs(self):
        """Config and layers of the image, which are requested as blobs, and the manifest."""
        for file in self.directory.glob("layers/*"):
            if file.read_bytes()[:1] == b"{":
                content = json.loads(file.read_bytes())
                if content.get("mediaType") == OCI:
                    blobs = [content["config"], *content["layers"]]
                    return f"sha256:{file.name}", [blob["digest"] for blob in blobs]
        raise AssertionError("no image is stored")


async def healing_faults(rotting, kind, draw):
    """The errors on the way from damage to a whole image."""
    expected, _ = rotting.blobs()
    damaged = rotting.damage(kind, draw)
    rotting.restart()
    faults = []
    async with restarted(rotting.registry) as client:
        for digest in damaged:
            get = client.blob if digest != expected else client.manifest_of
            answer = await get(digest)
            if answer.status_code != 404:
                faults.append(f"{kind}: {answer.status_code} at the first serve")
                if sha256(answer.content) != digest:
                    faults.append(f"{kind}: wrong bytes were served")
        digest, wrong = await client.pull()
        faults += [f"{kind}: {fault}" for fault in wrong]
        if digest != expected:
            faults.append(f"{kind}: {expected} became {digest}")
    quarantine = rotting.directory / "quarantine"
    aside = [path.name for path in quarantine.iterdir()] if quarantine.exists() else []
    if kind != "deleted" and not {hexdigits(found) for found in damaged} <= set(aside):
        faults.append(f"{kind}: not in quarantine")
    for name in aside:
        (quarantine / name).unlink()
    return faults + visible_lies(rotting.directory)


async def stored(directory, storage_class=FilesystemStorage):
    rotting = Rotting(directory, storage_class)
    async with restarted(rotting.registry) as client:
        assert (await client.pull())[1] == []
    return rotting


async def test_whatever_happens_to_a_blob_heals(tmp_path, draw, full, record_property):
    rotting = await stored(tmp_path)
    faults = []
    for number in range(BLOBS[full]):
        faults += await healing_faults(rotting, DAMAGES[number % len(DAMAGES)], draw)
    record_property("checked", BLOBS[full])
    assert faults == []


@pytest.mark.parametrize("kind", ["flipped", "zeroed", "swapped"])
async def test_it_notices(tmp_path, draw, kind):
    rotting = await stored(tmp_path, NeverLooks)
    assert f"{kind}: wrong bytes were served" in await healing_faults(rotting, kind, draw)
