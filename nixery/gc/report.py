"""Report of a collection, as text or JSON."""

from datetime import UTC, datetime
from typing import get_args

from nixery.gc.collection import Amount, Collection
from nixery.gc.plan import KeepBytes, Policy
from nixery.gc.removals import ObjectKind
from nixery.human_units import size_text

OBJECT_KINDS: tuple[ObjectKind, ...] = get_args(ObjectKind)


def text(outcome: Collection, policy: Policy) -> str:
    """A table by kind, and a summary line."""
    rows = [(kind, outcome.freed.get(kind, Amount())) for kind in OBJECT_KINDS]
    lines = [f"{'':10} {'objects':>9} {'size':>11}"]
    lines += [
        f"{kind:10} {amount.count:>9} {size_text(amount.size):>11}"
        for kind, amount in rows
        if amount.count
    ]
    total, left = outcome.total, outcome.left
    said = "would free" if outcome.dry_run else "freed"
    lines.append(
        f"{said} {size_text(total.size)} in {total.count} objects, "
        f"with {len(outcome.images)} images; {size_text(left.size)} in {left.count} objects stay"
    )
    if outcome.spared:
        lines.append(f"{outcome.spared} images stay because they were used during the collection")
    if isinstance(policy, KeepBytes) and left.size > policy.size:
        lines.append(
            f"more than {size_text(policy.size)} stay: objects stored in the last 24 hours or "
            "pulled today, and those of a Go server"
        )
    return "\n".join(lines if total.count else lines[1:])


def as_json(outcome: Collection) -> dict[str, object]:
    return {
        "dry_run": outcome.dry_run,
        "freed": _amount(outcome.total),
        "left": _amount(outcome.left),
        "kinds": {kind: _amount(outcome.freed.get(kind, Amount())) for kind in OBJECT_KINDS},
        "images": [
            {"manifests": list(gone.manifests), "last_used": _date(gone.last_used)}
            for gone in outcome.images
        ],
        "spared": outcome.spared,
    }


def _amount(amount: Amount) -> dict[str, int]:
    return {"objects": amount.count, "bytes": amount.size}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
