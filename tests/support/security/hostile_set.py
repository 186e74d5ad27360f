"""Package sets that strangers might write: the tiny set, and more."""

_SET = """{{ system, config }}:
let
  tiny = import {tiny} {{ inherit system config; }};
  build = import {tiny}/build.nix {{ inherit system config; }};
in
tiny // ({more})
"""


def set_with(tiny, more):
    """The text of a ``default.nix``; ``more`` may use ``tiny`` and ``build``."""
    return _SET.format(tiny=tiny, more=more)
