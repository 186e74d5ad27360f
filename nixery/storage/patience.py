"""How long a bucket is waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """``deadline``: seconds after which a request is not repeated any more.

    ``stall``: seconds without a byte after which an attempt has failed. A request so ends after
    at most the sum of both.
    """

    deadline: float = 60
    stall: float = 20
    connect: float = 5
    """Seconds for a connection to be made."""
    pause: float = 0.5
    """Upper bound of the first pause, in seconds; it doubles from one attempt to the next."""


PATIENT = Patience()
"""For servers: short enough that a client still waits when a pull fails."""
