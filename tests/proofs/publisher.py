"""Publishes an image in a process that may be killed: ``publisher.py STORAGE_CLASS``.

A fork of a process that has everything imported stands for a start. For each line, a directory:
prints the fork's process id, waits for one more line, publishes into the directory, and prints
how it ended. Everything happens in one thread, so that the n-th system call is always the same.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "proofs")]

import anyio  # noqa: E402 - found by the path above
import anyio.to_thread  # noqa: E402
import broken  # noqa: E402
import registry as registries  # noqa: E402

from nixery.storage.filesystem import FilesystemStorage  # noqa: E402

STORAGES = {"FilesystemStorage": FilesystemStorage, "PlainWrite": broken.PlainWrite}


async def at_once(function, *arguments, **_):
    return function(*arguments)


def registry_of(directory, storage):
    """Two layers of store paths and the environment's."""
    found = registries.Registry(directory)
    found.limits = replace(registries.LIMITS, layer_budget=2, pack_workers=1)
    found.storage = storage
    return found


async def publish(directory, storage_class):
    registry = registry_of(directory, storage_class(directory / "storage"))
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
    storage_class = STORAGES[sys.argv[1]]
    anyio.to_thread.run_sync = at_once
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the log goes elsewhere
    while True:
        directory = Path(line())
        child = os.fork()
        if child == 0:
            print(os.getpid(), file=answers, flush=True)
            line()
            anyio.run(publish, directory, storage_class)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
