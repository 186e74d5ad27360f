"""Image names: which packages, for which architecture.

The input is the repository name of a pull, ``shell/git/htop``. Each component is a top-level
attribute of the package set; dots select attributes inside it. Four leading components are
meta-packages, and can be combined:

    shell     bashInteractive, coreutils, moreutils, nano
    nonroot   the container runs as the user nonroot (65532)
    amd64     the image is built for x86_64-linux, the default
    arm64     the image is built for aarch64-linux

Packages are sorted, so ``git/htop`` and ``htop/git`` are the same image:

    >>> parse("arm64/shell/git").packages
    ('bashInteractive', 'cacert', 'coreutils', 'git', 'iana-etc', 'moreutils', 'nano')

The distribution specification defines the grammar of names and tags:
https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
"""

import re
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

from nixery.errors import NameInvalid

MAX_NAME = 255  # with the host it must fit the 255 characters that clients allow
MAX_PACKAGES = 32
MAX_DOTS = 4
"""Dots in a package name. Each selects a nested set, and a set of packages for another system costs
memory: pkgsCross.aarch64-multiplatform.hello has two dots."""

SHELL_PACKAGES = ("bashInteractive", "coreutils", "moreutils", "nano")
ALWAYS = ("cacert", "iana-etc")
"""In every image, as in the Go server: TLS and getservbyname work without requesting them."""

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Architecture(Enum):
    """The supported architectures; ``oci`` is the name in the image, ``system`` that of Nix."""

    AMD64 = ("amd64", "x86_64-linux")
    ARM64 = ("arm64", "aarch64-linux")

    def __init__(self, oci: str, system: str) -> None:
        self.oci = oci
        self.system = system


_META = frozenset({"shell", "nonroot", *(known.oci for known in Architecture)})


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A parsed image name. Different spellings of one image give equal requests."""

    packages: tuple[str, ...]
    """Attribute names as the client spelled them, sorted, without duplicates."""
    architecture: Architecture
    nonroot: bool = False
    """Whether the container runs as an ordinary user."""

    @property
    def requested(self) -> tuple[str, ...]:
        """Without the packages of every image, unless there are no others."""
        return tuple(name for name in self.packages if name not in ALWAYS) or self.packages

    @property
    def has_shell(self) -> bool:
        return any(name.lower() == "bashinteractive" for name in self.packages)


def parse(name: str, max_dots: int | None = None) -> ImageRequest:
    """``max_dots``: in a package name. Raises NameInvalid, for the person who typed the name."""
    if len(name) > MAX_NAME:
        raise NameInvalid(f"image name of {len(name)} characters: at most {MAX_NAME} are allowed")
    if not _NAME.fullmatch(name) and _NAME.fullmatch(name.lower()):
        raise NameInvalid(f"image names are lower case: pull {name.lower()!r} instead of {name!r}")
    if not _NAME.fullmatch(name):
        raise NameInvalid(f"{name!r} is not an image name: expected packages like shell/git/htop")
    components = name.split("/")
    if len(components) > MAX_PACKAGES:
        raise NameInvalid(
            f"{len(components)} packages requested: at most {MAX_PACKAGES} are allowed"
        )
    for component in components:
        if max_dots is not None and component.count(".") > max_dots:
            raise NameInvalid(
                f"{component!r} has more dots than allowed (NIXERY_MAX_DOTS={max_dots})"
            )

    metas = list(takewhile(_META.__contains__, components))
    architectures = {known for known in Architecture if known.oci in metas}
    if len(architectures) > 1:
        raise NameInvalid(f"{name!r} names two architectures: an image has one")
    packages = {*ALWAYS, *components[len(metas) :]}
    if "shell" in metas:
        packages.update(SHELL_PACKAGES)
    return ImageRequest(
        tuple(sorted(packages)),
        architecture=architectures.pop() if architectures else Architecture.AMD64,
        nonroot="nonroot" in metas,
    )


def parse_tag(text: str) -> str:
    """Raises NameInvalid if this is not a valid tag."""
    if not _TAG.fullmatch(text):
        raise NameInvalid(f"{text[:140]!r} is not a tag: expected letters, digits, '_', '.', '-'")
    return text
