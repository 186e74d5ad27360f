"""nginx.conf for the virtual hosts of a NixOS configuration, as far as the tests use them."""

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = """user www-data;
pid /run/nginx.pid;
events {}
http {
    access_log off;
    error_log stderr;
"""


def text(configuration: Mapping[str, Any], address: str) -> str:
    """``address``: the machine's own; other machines may listen on port 80 too."""
    return _HEAD + "".join(f"    {line}\n" for line in _blocks(configuration, address)) + "}\n"


def _blocks(configuration: Mapping[str, Any], address: str) -> Iterator[str]:
    for name, upstream in configuration["upstreams"].items():
        yield f"upstream {name} {{"
        yield from (f"    server {server};" for server in upstream["servers"])
        yield "}"
    for name, host in configuration["virtualHosts"].items():
        yield f"server {{ listen {address}:80; server_name {name};"
        for path, location in host["locations"].items():
            yield f"location {path} {{"
            if "proxyPass" in location:
                yield f"proxy_pass {location['proxyPass']};"
            if "alias" in location:
                yield f"alias {location['alias']};"
            yield from location.get("extraConfig", "").splitlines()
            yield "}"
        yield "}"
