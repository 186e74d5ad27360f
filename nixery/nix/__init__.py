"""Nix, asked through the command ``nixery-prepare-image``.

    client.py       class Nix: evaluate, realise, closure
    commands.py     the builder's command: each step with its environment and its confinement
    environment.py  which variables of the service the command sees
    machine.py      which files and sockets of the machine it sees
    process.py      one command: its output drained, its lines logged, its process group ended
    lines.py        bytes as lines of bounded length
    events.py       the lines of ``--log-format internal-json``
    lookup.py       the answer of an evaluation, and what is said of names that are refused
    failures.py     what Nix said before it failed, as the errors that clients are told
    store.py        closures as the Nix versions print them; where the files of a store lie

Only ``client``, ``commands`` and ``process`` do anything; the others are pure.
"""

from nixery.nix.client import Evaluation, Nix

__all__ = ["Evaluation", "Nix"]
