"""Reads every blob and compares it with its name.

A blob that rots on a disk is noticed when a process serves it for the first time, and from then on
only here. What is not what its name says is put into quarantine: its image is made again when it
is next asked for, with the same digest.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from nixery.errors import NixeryError
from nixery.gc import survey as surveys
from nixery.gc.survey import Survey
from nixery.human_units import size_text
from nixery.oci import Digest, hexdigits
from nixery.storage import Stat, Storage, layer_key

log = structlog.get_logger()

Progress = Callable[[int], None]
"""Is told how many bytes were read since the last call."""


@dataclass(frozen=True, slots=True)
class Findings:
    blobs: int
    size: int
    """Bytes of all blobs."""
    damaged: tuple[Digest, ...]
    """In quarantine now."""
    missing: tuple[Digest, ...]
    """A manifest promises them. Whoever asks for it by tag has them made again."""
    unreferenced: tuple[Digest, ...]
    """No manifest names them; gc removes them when they are a day old."""

    @property
    def is_well(self) -> bool:
        return not self.damaged and not self.missing


def verify(
    storage: Storage,
    progress: Callable[[int], Progress] | None = None,
) -> Findings:
    """Blocks for as long as reading everything takes. Servers may run meanwhile.

    ``progress`` is called once, with the number of bytes that there are to read.
    """
    survey = surveys.take(storage)
    size = sum(stat.size for stat in survey.blobs.values())
    advance = progress(size) if progress else _nobody
    damaged = []
    for digest, stat in sorted(survey.blobs.items()):
        if not _is_sound(storage, digest, stat, advance):
            log.error("blob is not what its name says", digest=digest, size=stat.size)
            storage.quarantine(digest)
            damaged.append(digest)
    named = survey.foreign.union(*(image.refs for image in survey.images))
    return Findings(
        blobs=len(survey.blobs),
        size=size,
        damaged=tuple(damaged),
        missing=tuple(sorted(_missing(storage, survey))),
        unreferenced=tuple(sorted(survey.blobs.keys() - named)),
    )


def _is_sound(storage: Storage, digest: Digest, stat: Stat, advance: Progress) -> bool:
    """Also true of what was replaced or deleted while it was read: it is not this blob any more."""
    sha256 = hashlib.sha256()
    try:
        for piece in storage.pieces(stat):
            sha256.update(piece)
            advance(len(piece))
        if sha256.hexdigest() == hexdigits(digest):
            return True
    except OSError as error:
        log.warning("blob cannot be read", digest=digest, error=str(error))
    except NixeryError:
        if _is_unchanged(storage, stat):
            raise  # nothing is known of a blob that the bucket does not give
    return not _is_unchanged(storage, stat)


def _is_unchanged(storage: Storage, stat: Stat) -> bool:
    """By its time: a list and a look at one object may tell versions apart in different words."""
    found = storage.stat(stat.key)
    return found is not None and int(found.modified) == int(stat.modified)


def _missing(storage: Storage, survey: Survey) -> set[Digest]:
    """Blobs that manifests name, except for those of an image that was just deleted.

    What the survey did not find is looked at once more, with the manifests that name it.
    """
    missing: set[Digest] = set()
    for image in survey.images:
        lost = image.refs - survey.blobs.keys()
        if lost and _is_there(storage, image.manifests, image.entries):
            missing |= lost
    missing |= survey.promised - survey.blobs.keys()
    return {digest for digest in missing if storage.stat(layer_key(digest)) is None}


def _is_there(storage: Storage, manifests: frozenset[Digest], entries: tuple[Stat, ...]) -> bool:
    keys = [*(entry.key for entry in entries), *map(layer_key, manifests)]
    return any(storage.stat(key) for key in keys)


def _nobody(_: int) -> None: ...


def text(findings: Findings) -> str:
    """For people: what is wrong, blob by blob, then the sums."""
    lines = [f"damaged, in quarantine now: {digest}" for digest in findings.damaged]
    lines += [f"missing: {digest}" for digest in findings.missing]
    lines.append(
        f"{findings.blobs} blobs with {size_text(findings.size)} read: "
        f"{len(findings.damaged)} damaged, {len(findings.missing)} missing, "
        f"{len(findings.unreferenced)} that no image needs"
    )
    return "\n".join(lines)


def as_json(findings: Findings) -> dict[str, object]:
    return {
        "well": findings.is_well,
        "blobs": findings.blobs,
        "bytes": findings.size,
        "damaged": list(findings.damaged),
        "missing": list(findings.missing),
        "unreferenced": list(findings.unreferenced),
    }
