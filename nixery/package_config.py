"""Container settings of a package: ``passthru.nixery`` of its derivation. Pure.

    passthru.nixery = {
      entrypoint = [ "/bin/server" ];  cmd = [ "--help" ];     lists of words
      env.LANG = "C.UTF-8";            labels."org.x" = "y";   texts by name
      workingDir = "/srv";             volumes = [ "/data" ];  absolute paths
      user = "65532:65532";            stopSignal = "SIGINT";
      exposedPorts = [ 8080 "53/udp" ];
    }

An image has the settings of all of its packages. As with files, the first package by name wins: a
setting, a variable, or a label of a later one is ignored. Volumes and ports are those of all.

Source of the fields: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Pairs = tuple[tuple[str, str], ...]

MAX_TEXT = 4096
"""Characters of a value."""
MAX_ENTRIES = 100
"""Entries of a list or a set."""


class InvalidSettingError(ValueError):
    """The message names the field and what it must be."""


@dataclass(frozen=True, slots=True)
class PackageConfig:
    """Parsed. Empty fields are not set."""

    cmd: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    env: Pairs = ()
    exposed_ports: tuple[str, ...] = ()
    """With the protocol: ``8080/tcp``."""
    labels: Pairs = ()
    stop_signal: str = ""
    user: str = ""
    volumes: tuple[str, ...] = ()
    working_dir: str = ""


NO_CONFIG = PackageConfig()


def parse_package_config(value: object) -> PackageConfig:
    """``value``: JSON; None for no settings. Raises InvalidSettingError."""
    if value is None:
        return NO_CONFIG
    if not isinstance(value, dict):
        raise InvalidSettingError("passthru.nixery must be an attribute set")
    parsed: dict[str, Any] = {}
    for field in sorted(value):
        if field not in _FIELDS:
            known = ", ".join(sorted(_FIELDS))
            raise InvalidSettingError(f"passthru.nixery.{field} is unknown; known are {known}")
        attribute, parse, expected = _FIELDS[field]
        parsed[attribute] = parse(value[field])
        if parsed[attribute] is None:
            raise InvalidSettingError(f"passthru.nixery.{field} must be {expected}")
    return PackageConfig(**parsed)


def merge_configs(configs: Sequence[PackageConfig]) -> PackageConfig:
    """The settings of all packages, in order."""
    return PackageConfig(
        cmd=_first(config.cmd for config in configs) or (),
        entrypoint=_first(config.entrypoint for config in configs) or (),
        env=_all_pairs(config.env for config in configs),
        exposed_ports=_all(config.exposed_ports for config in configs),
        labels=_all_pairs(config.labels for config in configs),
        stop_signal=_first(config.stop_signal for config in configs) or "",
        user=_first(config.user for config in configs) or "",
        volumes=_all(config.volumes for config in configs),
        working_dir=_first(config.working_dir for config in configs) or "",
    )


def members(config: PackageConfig) -> dict[str, object]:
    """The members of an image's ``config``, without those that are not set."""
    every: dict[str, object] = {
        "Cmd": list(config.cmd),
        "Entrypoint": list(config.entrypoint),
        "Env": [f"{name}={text}" for name, text in config.env],
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "User": config.user,
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.working_dir,
    }
    return {name: value for name, value in every.items() if value}


def _first(values: Iterable[T]) -> T | None:
    return next(filter(None, values), None)


def _all(values: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry for several in values for entry in several))


def _all_pairs(values: Iterable[Pairs]) -> Pairs:
    found: dict[str, str] = {}
    for pairs in values:
        for name, text in pairs:
            found.setdefault(name, text)
    return tuple(found.items())


def _text(value: object) -> str | None:
    is_text = isinstance(value, str) and 0 < len(value) <= MAX_TEXT and "\0" not in value
    return str(value) if is_text else None


def _matching(pattern: str) -> Callable[[object], str | None]:
    compiled = re.compile(pattern)

    def parse(value: object) -> str | None:
        text = _text(value)
        return text if text and compiled.fullmatch(text) else None

    return parse


def _list_of(
    parse: Callable[[object], str | None],
) -> Callable[[object], tuple[str, ...] | None]:
    def parse_list(value: object) -> tuple[str, ...] | None:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_ENTRIES:
            return None
        entries = [parse(entry) for entry in value]
        return tuple(entry for entry in entries if entry) if all(entries) else None

    return parse_list


def _set_of(name: str) -> Callable[[object], tuple[tuple[str, str], ...] | None]:
    compiled = re.compile(name)

    def parse_set(value: object) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(value, dict) or not 0 < len(value) <= MAX_ENTRIES:
            return None
        is_valid = all(
            compiled.fullmatch(key) and (text == "" or _text(text)) for key, text in value.items()
        )
        return tuple(sorted(value.items())) if is_valid else None

    return parse_set


def _port(value: object) -> str | None:
    number, _, protocol = str(value).partition("/")
    is_number = re.fullmatch(r"[1-9][0-9]{0,4}", number) and int(number) < 1 << 16
    is_valid = is_number and protocol in ("", "tcp", "udp", "sctp") and not isinstance(value, bool)
    return f"{number}/{protocol or 'tcp'}" if is_valid else None


_PATH = _matching(r"/[^:]*")
_FIELDS: Mapping[str, tuple[str, Callable[[object], object], str]] = {
    "cmd": ("cmd", _list_of(_text), "a list of words"),
    "entrypoint": ("entrypoint", _list_of(_text), "a list of words"),
    "env": ("env", _set_of("[A-Za-z_][A-Za-z0-9_]*"), "a set of variables with texts"),
    "exposedPorts": ("exposed_ports", _list_of(_port), 'a list of ports, such as 8080 or "53/udp"'),
    "labels": ("labels", _set_of(r"[A-Za-z0-9][A-Za-z0-9._/-]*"), "a set of labels with texts"),
    "stopSignal": ("stop_signal", _matching("SIG[A-Z0-9+-]+|[1-9][0-9]?"), "a signal: SIGTERM"),
    "user": (
        "user",
        _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?"),
        'a user, or a user and a group: "65532:65532"',
    ),
    "volumes": ("volumes", _list_of(_PATH), "a list of absolute paths"),
    "workingDir": ("working_dir", _PATH, "an absolute path"),
}
"""The attribute, the parser, which returns None for anything else, and what the value must be."""
