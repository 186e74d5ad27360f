"""Interpreters requested together with modules of their set: the image has their environment."""

import pytest
from support.served import serve
from support.tiny_set import request, source_of

from nixery.nix import Evaluation, Nix

pytestmark = pytest.mark.nix

# As in nixpkgs: an interpreter has withPackages, and a module names its interpreter.
SET = """
{{ system }}:
let
  set = import {tiny} {{ inherit system; }};
  build = import {tiny}/build.nix {{ inherit system; config = {{ }}; }};
  python = set.perl // {{
    withPackages = select: build.package {{ pname = "python-env"; deps = select {{ }}; }};
  }};
  other = python // {{ outPath = "/nix/store/other"; }};
in
{{
  inherit (set) bashInteractive cacert coreutils iana-etc moreutils nano hello;
  inherit python;
  modules = {{
    requests = set.git // {{ pythonModule = python; }};
    numpy = set.hello // {{ pythonModule = python; }};
    elsewhere = set.hello // {{ pythonModule = other; }};
    application = set.hello // {{ pythonModule = false; }};
  }};
}}
"""


@pytest.fixture
def package_set(tiny, tmp_path):
    directory = tmp_path / "set"
    directory.mkdir()
    (directory / "default.nix").write_text(SET.format(tiny=tiny))
    return directory


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("names", "is_environment"),
    [
        (("python", "modules.requests"), True),
        (("python", "modules.numpy", "modules.requests", "hello"), True),
        (("python",), False),
        (("python", "hello"), False),
        (("python", "modules.elsewhere"), False),
        (("python", "modules.application"), False),
        (("modules.requests",), False),
    ],
)
async def test_what_makes_an_environment(nix_environment, tiny, package_set, names, is_environment):
    nix = Nix(environment=nix_environment, evaluation=Evaluation(allowed_paths=(tiny,)))
    packages = await nix.evaluate(source_of(package_set), request(*names))
    found = {package.name: package for package in packages}
    assert [package.name for package in packages if package.combined] == ["python"] * is_environment
    if "python" in found:
        environment = found["python"].paths[0].endswith("-python-env-1.0")
        assert environment == is_environment
    if "modules.requests" in found:
        assert found["modules.requests"].paths[0].endswith("-git-2.47.0")


def test_they_are_combined_although_each_is_cached(nix_environment, tiny, package_set, tmp_path):
    """Cached evaluations are by name; together they are another package."""
    settings = {"NIXERY_PKGS_PATH": str(package_set), "NIXERY_ALLOWED_PATHS": str(tiny)}
    with serve(nix_environment, tmp_path / "registry", **settings) as served:
        alone = served.digest("python"), served.digest("modules.requests")
        together = served.digest("python/modules.requests")
        assert served.digest("python/modules.requests") == together
        assert (served.digest("python"), served.digest("modules.requests")) == alone
    with serve(nix_environment, tmp_path / "other", **settings) as served:
        assert served.digest("python/modules.requests") == together
        assert served.digest("python") == alone[0]
