"""A registry of fakes, and the tools that build its images without a server."""

import pytest

from nixery.nix.gc_roots import Roots
from nixery.standalone.prepare import Tools


@pytest.fixture
def tools(registry, tmp_path):
    return Tools(
        source=registry.source,
        nix=registry.nix,
        roots=Roots(tmp_path / "roots"),
        recipe=registry.recipe,
        workers=None,
        packer=registry.packer,
        at_once=2,
        layering=registry.limits.layering,
        layer_budget=registry.limits.layer_budget,
    )
