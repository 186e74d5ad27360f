"""Settings: the operator's configuration, read once when a command starts."""

from nixery.settings.fields import Settings
from nixery.settings.reading import ACCEPTED_FROM_GO_SERVER, SOURCES, load, names

__all__ = ["ACCEPTED_FROM_GO_SERVER", "SOURCES", "Settings", "load", "names"]
