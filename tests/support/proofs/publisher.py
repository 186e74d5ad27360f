"""Publishes an image in a process that may be killed: ``publisher.py STORAGE_CLASS [SET SALT]``.

With a package set and a salt it is built by the real Nix of the environment.

A fork of a process that has everything imported replaces a start. For each line, a directory:
prints the fork's process id, waits for one more line, publishes into the directory, and prints how
it ended. All access to the storage happens in one thread, so that its n-th system call is always
the same.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import anyio
import anyio.to_thread

from nixery.archive import Gzip, Packer
from nixery.nix import Evaluation, Nix
from nixery.nix.store import store_root
from nixery.storage.filesystem import FilesystemStorage
from support import registry as registries
from support.proofs import broken

STORAGES = {"FilesystemStorage": FilesystemStorage, "PlainWrite": broken.PlainWrite}


async def at_once(function, *arguments, **_):
    return function(*arguments)


class NixApart:
    """The real Nix in a separate thread, which strace does not follow."""

    def __init__(self, nix):
        self._nix = nix

    async def evaluate(self, *arguments):
        return elsewhere(self._nix.evaluate(*arguments))

    async def realise(self, *arguments):
        return elsewhere(self._nix.realise(*arguments))

    async def closure(self, *arguments):
        return elsewhere(self._nix.closure(*arguments))


def elsewhere(work):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def registry_of(directory, storage):
    """Two layers of store paths and the environment's."""
    found = registries.Registry(directory)
    found.limits = replace(registries.LIMITS, layer_budget=2, pack_workers=1)
    found.storage = storage
    return found


def real_registry_of(directory, storage, tree, salt, environment):
    """The same with the packages of a set, built by the real Nix."""
    found = registry_of(directory, storage)
    found.source.tree = Path(tree)
    found.nix = NixApart(Nix(environment=environment, evaluation=Evaluation(config={"salt": salt})))
    found.packer = Packer(store_root(environment["NIX_REMOTE"]), Gzip())
    return found


async def publish(registry):
    async with registry.opened() as answers:
        await answers.image("hello", "latest")


def line():
    """Unbuffered: the fork and its parent share the pipe."""
    found = b""
    while not found.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit()
        found += byte
    return found.decode().strip()


def main():
    _, name, *package_set = sys.argv
    storage_class = STORAGES[name]
    anyio.to_thread.run_sync = at_once
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the log goes elsewhere
    while True:
        directory = Path(line())
        child = os.fork()
        if child == 0:
            print(os.getpid(), file=answers, flush=True)
            line()
            storage = storage_class(directory / "storage")
            if package_set:
                registry = real_registry_of(directory, storage, *package_set, os.environ)
            else:
                registry = registry_of(directory, storage)
            anyio.run(publish, registry)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
