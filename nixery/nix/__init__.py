"""Nix, used through the command ``nixery-prepare-image``.

    client.py       class Nix: evaluate, realise, closure
    commands.py     runs the steps of the command, each with its environment and confinement
    environment.py  the variables that the command gets
    machine.py      the files and sockets that it may access
    overlays.py     the files of the operator's overlays
    process.py      one process: reads its output, logs its lines, ends its group
    lines.py        splits bytes into lines of bounded length
    build_log.py    which lines are logged, and kept for the client
    events.py       lines of ``--log-format internal-json``
    lookup.py       the result of an evaluation, and the errors of refused names
    refusals.py     why nixpkgs refuses a package: unfree, broken, insecure, removed
    suggestions.py  similar names for one that does not exist
    programs.py     packages of commands that have another name
    hints.py        the setting that allows what an evaluation tried
    reason.py       the one line of Nix's error text for the client
    failures.py     failed evaluations, as errors of nixery.errors
    build_failures.py  failed builds, as errors of nixery.errors
    machine_errors.py  faults of the machine in that output
    substituters.py    binary caches that did not answer, in that output
    store.py        closures as each version of Nix prints them; the location of store files
    gc_roots.py     garbage collector roots during a build

Only ``client``, ``commands``, ``process`` and ``gc_roots`` do I/O; the others are pure.
"""

from nixery.nix.client import Evaluation, Nix

__all__ = ["Evaluation", "Nix"]
