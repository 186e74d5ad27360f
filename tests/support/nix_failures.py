"""Failed commands of Nix, with the texts that Nix 2.8, 2.26 and 2.34 print."""

from nixery.closure import Package
from nixery.nix.events import Line
from nixery.nix.process import Finished

HASH = "kvprb6ragzg16hz9gxnzy7gpb028ii4s"
DRV = f"/nix/store/{HASH}-hello-2.12.1.drv"
OTHER = f"/nix/store/{HASH}-glibc-2.40.drv"
HELLO = Package("hello", DRV, (("out", f"/nix/store/{HASH}-hello-2.12.1"),))


def finished(*errors, status=1, log=(), claims=(), preparation=(), has_built=True):
    return Finished(
        status,
        b'{"partial":',
        tuple(Line("error", error, "realise") for error in errors),
        tuple(Line("log", text, "build", derivation) for derivation, text in log),
        preparation=tuple(Line("message", text, "realise") for text in preparation),
        claims=tuple(Line("claim", claim, "realise") for claim in claims),
        has_built=has_built,
    )
