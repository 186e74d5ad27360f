"""A registry without HTTP: fake Nix and source, real packing."""

import gzip
import io
import json
import tarfile
from contextlib import asynccontextmanager
from dataclasses import replace

from nixery.archive import Gzip, Packer
from nixery.builder import BuildLimits
from nixery.builder_front import BuilderFront
from nixery.cache import Failures, Recipe
from nixery.host.disk_space import Disk
from nixery.lease import Leases
from nixery.nix.gc_roots import Roots
from nixery.oci import Format, hexdigits
from nixery.parts import make_builder
from nixery.planning import PlanningTables
from nixery.storage.memory import MemoryStorage
from nixery.verified_blobs import VerifiedBlobs
from support.clock import Clock
from support.fake_nix import FakeNix
from support.fake_source import FakeSource, resolved

LIMITS = BuildLimits(builds=2, pack_workers=2, layering="units", layer_budget=94)


class Registry:
    """What all processes share, and their options."""

    def __init__(self, directory):
        self.directory = directory
        self.clock = Clock()
        self.storage = MemoryStorage(self.clock)
        self.source = FakeSource({"latest": resolved("1" * 40)}, directory)
        self.nix = FakeNix(directory)
        self.packer = Packer(self.nix.root, Gzip())
        self.limits = LIMITS
        self.patience = 60
        self.request_timeout = 60
        self.disk = Disk(())
        self.recipe = Recipe(evaluation={}, self_contained=True, image={"budget": 94})
        libc = self.nix.add("libc", {"lib/libc.so": b"libc" * 100})
        self.nix.add("cacert", {"etc/ssl/certs/ca-bundle.crt": b"CERTIFICATE"})
        self.nix.add("iana-etc", {"etc/services": b"https 443/tcp"})
        self.nix.add("hello", {"bin/hello": b"#!hello"}, references=[libc])
        self.nix.add("git", {"bin/git": b"#!git", "bin/env": b"#!env"}, references=[libc])

    @asynccontextmanager
    async def opened(self, replica="one"):
        """A process with its own caches; ``replica`` names its machine."""
        async with self.builder(replica).opened() as builder:
            answers = BuilderFront(builder, Failures(self.clock), self.request_timeout)
            async with answers.opened():
                yield answers

    def builder(self, replica="one"):
        state = self.directory / replica
        return make_builder(
            source=self.source,
            nix=self.nix,
            storage=self.storage,
            verifier=VerifiedBlobs(self.storage),
            packer=self.packer,
            roots=Roots(state / "roots"),
            state_dir=state,
            tables=PlanningTables(
                self.storage,
                strategy=self.limits.layering,
                budget=self.limits.layer_budget,
                submit=lambda work: work(),
            ),
            leases=Leases(self.storage, self.clock.sleep),
            disk=self.disk,
            recipe=self.recipe,
            limits=replace(self.limits, patience=self.patience),
            evaluation_ttl=None,
            clock=self.clock,
        )

    def blob(self, digest):
        return self.storage.objects[f"layers/{hexdigits(digest)}"]

    def files(self, image):
        """Names of all files in the image's layers."""
        manifest = json.loads(image.manifests[Format.OCI].data)
        names = set()
        for layer in manifest["layers"]:
            content = io.BytesIO(gzip.decompress(self.blob(layer["digest"])))
            with tarfile.open(fileobj=content) as archive:
                names |= set(archive.getnames())
        return names


async def pull(registry, name="hello", tag="latest", replica="one"):
    """Pulls with a new process."""
    async with registry.opened(replica) as answers:
        return await answers.image(name, tag)
