"""Verification of the storage: compares every blob with its digest.

A damaged blob on disk is otherwise noticed only when a process serves it for the first time.
Damaged blobs are moved to quarantine; a later request builds the image again, with the same digest.
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
"""Called with the number of bytes that were read since the last call."""


@dataclass(frozen=True, slots=True)
class Findings:
    blobs: int
    size: int
    """Bytes of all blobs."""
    damaged: tuple[Digest, ...]
    """Moved to quarantine."""
    missing: tuple[Digest, ...]
    """Referenced by manifests. A pull by tag builds them again."""
    unreferenced: tuple[Digest, ...]
    """Not referenced; gc removes them after a day."""

    @property
    def is_well(self) -> bool:
        return not self.damaged and not self.missing


def verify(
    storage: Storage,
    progress: Callable[[int], Progress] | None = None,
) -> Findings:
    """Blocks until everything is read. Servers may run at the same time.

    ``progress`` is called once, with the total number of bytes.
    """
    survey = surveys.take(storage)
    size = sum(stat.size for stat in survey.blobs.values())
    advance = progress(size) if progress else _nobody
    damaged = []
    for digest, stat in sorted(survey.blobs.items()):
        if not _is_sound(storage, digest, stat, advance):
            log.error("blob does not match its digest", digest=digest, size=stat.size)
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
    """Also True for a blob that was replaced or deleted meanwhile, and is no longer this one."""
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
            raise  # a blob that the bucket does not return may be intact
    return not _is_unchanged(storage, stat)


def _is_unchanged(storage: Storage, stat: Stat) -> bool:
    """By its time: a list and a look at one object may describe a version differently."""
    found = storage.stat(stat.key)
    return found is not None and int(found.modified) == int(stat.modified)


def _missing(storage: Storage, survey: Survey) -> set[Digest]:
    """Blobs that manifests reference, except for images that were deleted meanwhile.

    Looks once more for blobs that the survey lacks, and for the manifests that reference them.
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
    """Text for people: each fault, then the sums."""
    lines = [f"damaged, moved to quarantine: {digest}" for digest in findings.damaged]
    lines += [f"missing: {digest}" for digest in findings.missing]
    lines.append(
        f"{findings.blobs} blobs with {size_text(findings.size)} read: "
        f"{len(findings.damaged)} damaged, {len(findings.missing)} missing, "
        f"{len(findings.unreferenced)} not needed by any image"
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
