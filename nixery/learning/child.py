"""Child process that learns a table of units: ``python -m nixery.learning.child``.

Learning computes for seconds without releasing the GIL, so in the server it would delay every
response. The child runs at the lowest priority, if it may set that.

    stdin    a line of JSON {"budget": 94, "units": the current table or null, "start": null or a
             record}, then a line for each requested image, the oldest first (``request_record.py``)
    stdout   the new table; nothing if it is not worth publishing
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain

from nixery.closure import Closure, PathInfo
from nixery.layers.tables import EMPTY, Units, encode_units, parse_units
from nixery.learning.demand import Demand, demand
from nixery.learning.learn import learn, worth_publishing
from nixery.tables.request_record import RequestRecord, decode

NICE = 19


def request(
    images: Iterable[bytes], start: bytes | None, current: bytes | None, budget: int
) -> bytes:
    """The child's input. ``images`` and ``start``: stored records.

    The server passes them on undecoded, because decoding would delay responses.
    """
    head = {
        "budget": budget,
        "units": current.decode(errors="replace") if current else None,
        "start": start.decode(errors="replace") if start else None,
    }
    return b"\n".join([json.dumps(head).encode(), *images])


def answer(request: bytes) -> bytes:
    """The child's output."""
    head, *lines = request.split(b"\n")
    content = json.loads(head)
    images = [found[0] for line in lines if (found := decode(line))]
    start = decode(content["start"]) if content["start"] else None
    current = parse_units(content["units"]) if content["units"] else None
    table = better(
        demand_of(images, start[0] if start else None),
        current or EMPTY.units,
        content["budget"],
    )
    return encode_units(table) if table else b""


def better(wanted: Demand, current: Units, budget: int) -> Units | None:
    """A table that is worth publishing in place of the current one."""
    new = learn(wanted, [budget])
    return new if worth_publishing(new, current, wanted, budget) else None


def demand_of(images: Sequence[RequestRecord], start: RequestRecord | None) -> Demand:
    everything = [*images, *([start] if start else [])]
    graph: dict[str, PathInfo] = {
        info.path: info for info in chain(*(asked.closure.paths for asked in everything))
    }
    return demand(
        Closure(tuple(graph[path] for path in sorted(graph))),
        [image.packages for image in images],
        start.packages if start else (),
    )


def main() -> None:
    with suppress(OSError):  # a hardened unit may not change priorities
        os.nice(NICE)
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
