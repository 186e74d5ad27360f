"""The real Nix, which records its calls and waits for the test before it builds.

nix = HeldNix(directory, environment)
serve(nix.environment("one"), …)      the environment of a replica with that name
assert nix.asked("realise") == "one"  waits for a replica's call, and names the replica
nix.go_on("one")
assert nix.more("realise") == []      further replicas that made this call until now
"""

import os
import shutil
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

SCRIPT = """#!/bin/sh
echo "$1 {replica}" >{directory}/asked
if [ "$1" = realise ]; then
  read -r _ <"{directory}/{replica}" || exit 1
fi
exec {real} "$@"
"""
PATIENCE = 60


class HeldNix:
    def __init__(self, directory, environment):
        directory.mkdir()
        self._directory = directory
        self._base = environment
        self._replicas = []
        self._queues = {step: SimpleQueue() for step in ("check", "evaluate", "realise", "closure")}
        self._real = shutil.which("nixery-prepare-image", path=environment["PATH"])
        os.mkfifo(directory / "asked")
        # For writing as well, so that it stays open between calls.
        self._asked = os.open(directory / "asked", os.O_RDWR)
        self._reader = Thread(target=self._read)
        self._reader.start()

    def environment(self, replica):
        programs = self._directory / f"{replica}-bin"
        if replica not in self._replicas:
            self._replicas.append(replica)
            os.mkfifo(self._directory / replica)
            programs.mkdir()
            command = programs / "nixery-prepare-image"
            command.write_text(
                SCRIPT.format(directory=self._directory, replica=replica, real=self._real)
            )
            command.chmod(0o755)
        # A confined evaluation could not record its call.
        return {
            **self._base,
            "PATH": f"{programs}:{self._base['PATH']}",
            "NIXERY_CONFINE": "0",
        }

    def asked(self, step):
        return self._queues[step].get(timeout=PATIENCE)

    def more(self, step):
        found = []
        with suppress(Empty):
            while True:
                found.append(self._queues[step].get_nowait())
        return found

    def go_on(self, replica):
        with (self._directory / replica).open("w") as gate:
            gate.write("go\n")

    def give_up(self, replica):
        """Of a killed replica: only the next one may be released."""
        with (self._directory / replica).open("w"):
            pass

    def close(self):
        """Ends the calls that still wait; their replicas may be gone."""
        for replica in self._replicas:
            with suppress(OSError):
                os.close(os.open(self._directory / replica, os.O_WRONLY | os.O_NONBLOCK))
        os.write(self._asked, b"end\n")
        self._reader.join()
        os.close(self._asked)

    def _read(self):
        with os.fdopen(os.dup(self._asked)) as lines:
            for line in lines:
                if line == "end\n":
                    return
                step, replica = line.split()
                self._queues[step].put(replica)
