"""Shared code of the tests of single machines: a started registry, and its answers."""

import json
from typing import Any, Final

from support.nixos_module import ROOT
from support.systemd.machine import Machine
from support.systemd.nodes import SET

COMMON: Final = f'import {ROOT}/nixos-tests/common.nix {{ set = "{SET}"; }}'
NOT_AT_BOOT: Final = "{ lib, ... }: { systemd.services.nixery.wantedBy = lib.mkForce [ ]; }"
URL: Final = "http://registry:8080"


def serving(machine: Machine, port: int = 8080) -> Machine:
    machine.wait_for_unit("nixery.service")
    machine.wait_for_open_port(port, "registry")
    return machine


def manifest(machine: Machine, image: str, url: str = URL, tag: str = "latest") -> Any:
    return json.loads(machine.succeed(f"curl -sS --fail {url}/v2/{image}/manifests/{tag}"))
