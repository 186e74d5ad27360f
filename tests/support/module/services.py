"""Short configurations of services.nixery."""

import re

from support.nixos_module import evaluate

MINIMAL = "services.nixery.enable = true; services.nixery.source.path = ''/srv/packages'';"


def configured(text="", base=MINIMAL):
    return evaluate(f"{{ {base} {text} }}")


def nixery(text):
    """Settings below services.nixery, with a source."""
    return configured(f"imports = [ {{ services.nixery = {{ {text} }}; }} ];")


def environment(found, unit="nixery"):
    """As the service sees it, but for what systemd itself fills in."""
    return {
        name: re.sub("%%", "%", value.replace("%C", "/var/cache").replace("%d", "/run/credentials"))
        for name, value in found["environment"][unit].items()
    }
