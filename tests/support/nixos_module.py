"""Evaluates module.nix with the evaluator of tests/module, and with nixpkgs' if available.

``NIXPKGS_LIB`` names nixpkgs' ``lib`` directory. Both must give the same result.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.tiny_set import NIX_CONF_DIR

ROOT = Path(__file__).parents[2]
EVALUATE = ROOT / "tests/module/evaluate.nix"


class EvaluationFails(Exception):
    """Nix's error message."""


def evaluate(*modules: str, installed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Evaluates a configuration of these modules, which are Nix expressions.

    tests/module/evaluate.nix has the members of the result. ``installed``: versions of programs.
    """
    return nix_value(
        EVALUATE,
        modules=f"[ {' '.join(f'({module})' for module in modules)} ]",
        installed=nix_text(installed or {}),
    )


def nix_value(file: Path, **arguments: str) -> Any:
    """The value of a file that takes ``lib``; raises EvaluationFails."""
    own = _nix_value(file, **arguments)
    if directory := os.environ.get("NIXPKGS_LIB"):
        theirs = _nix_value(file, **arguments, lib=f"import {Path(directory).resolve()}")
        assert theirs == own, (
            "nixpkgs' lib and the evaluator of tests/module give different results"
        )
    return own


def _nix_value(file: Path, **arguments: str) -> Any:
    given = "".join(f"{name} = {value}; " for name, value in arguments.items())
    done = subprocess.run(
        [
            "nix-instantiate",
            "--eval",
            "--strict",
            "--json",
            "--expr",
            f"import {file} {{ {given}}}",
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "NIX_CONF_DIR": str(NIX_CONF_DIR)},
    )
    if done.returncode:
        raise EvaluationFails(done.stderr)
    return json.loads(done.stdout)


def nix_text(value: object) -> str:
    """A value as a Nix expression."""
    return f"(builtins.fromJSON {_quoted(json.dumps(value))})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'
