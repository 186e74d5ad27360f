"""Overlays of the operator, as nixpkgs treats those of a user.

a file, or a directory with a default.nix   an overlay
any other directory                         its *.nix files, and its directories with a
default.nix, in byte order
"""

import os
from collections.abc import Iterable
from pathlib import Path


def overlay_files(paths: Iterable[Path]) -> list[Path]:
    """What Nix imports, in order. Blocks. Raises OSError."""
    return [file for path in paths for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir() or (path / "default.nix").exists():
        return [path]
    entries = sorted(path.iterdir(), key=lambda entry: os.fsencode(entry.name))
    return [entry for entry in entries if _is_overlay(entry)]


def _is_overlay(entry: Path) -> bool:
    return entry.suffix == ".nix" if entry.is_file() else (entry / "default.nix").exists()
