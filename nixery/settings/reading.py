"""Reads settings from a mapping (the environment) and a TOML file; the mapping takes precedence."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nixery.errors import ConfigurationError
from nixery.oci import COMPRESSION_LEVELS, LayerCompression
from nixery.settings.fields import Settings

SOURCES = {
    "NIXERY_CHANNEL": "channel",
    "NIXERY_PKGS_REPO": "pkgs_repo",
    "NIXERY_PKGS_PATH": "pkgs_path",
}
ACCEPTED_FROM_GO_SERVER = frozenset({"WEB_DIR"})
"""Settings of the Go server that have no effect here, and are not an error."""


def names() -> tuple[str, ...]:
    """The names of all settings, as operators write them."""
    return tuple(field.alias for field in Settings.model_fields.values() if field.alias)


def load(
    environ: Mapping[str, str],
    file: Path | None = None,
    *,
    needs_source: bool = True,
    needs_storage: bool = True,
) -> Settings:
    """Raises ConfigurationError: one line that says what to change.

    ``needs_source``: False for commands that only maintain the storage. ``needs_storage``: False
    for commands that can do without one; then path and bucket may be unset.
    """
    given = _nonempty(_read(file) if file else {}) | _nonempty(environ)
    if needs_source:
        _require_one_source(given)
    cores = os.cpu_count() or 1
    state = Path(given.get("NIXERY_STATE_DIR") or _state_directory(environ))
    if state.absolute() == Path(given.get("STORAGE_PATH") or "/").absolute():
        # A unit of the Go server may keep its images in systemd's StateDirectory. State and storage
        # use the same file names, so in one directory each would remove files of the other.
        state /= "state"
    given["NIXERY_STATE_DIR"] = state
    # GC roots are useless once the process has ended; systemd removes the RuntimeDirectory when the
    # unit stops.
    runtime = _first(environ.get("RUNTIME_DIRECTORY"))
    defaults = {
        "NIXERY_ROOTS_DIR": Path(runtime or state) / "roots",
        **({} if needs_storage else {"NIXERY_STORAGE_BACKEND": "filesystem"}),
        "NIXERY_MAX_BUILDS": cores,
        "NIXERY_PACK_WORKERS": cores,
    }
    try:
        settings = Settings.model_validate(defaults | given)
    except ValidationError as error:
        raise ConfigurationError(_one_line(error)) from None
    if needs_storage or "NIXERY_STORAGE_BACKEND" in given:
        _require_storage(settings)
    _check_level(settings.compression, settings.compression_level)
    return settings


def _check_level(kind: LayerCompression, level: int | None) -> None:
    levels = COMPRESSION_LEVELS[kind]
    if level is not None and level not in levels:
        raise ConfigurationError(
            f"NIXERY_COMPRESSION_LEVEL={level} is out of range for {kind} "
            f"({levels.start}–{levels.stop - 1})"
            if levels
            else f"NIXERY_COMPRESSION_LEVEL={level} has no meaning for {kind}: remove it"
        )


def _nonempty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Treats an empty value as unset, like the Go server.

    Except NIXERY_GIT_ALLOWED_REFS: if empty, it is a mistake and must not select the default.
    """
    return {
        name: values[name]
        for name in names()
        if name in values and (values[name] != "" or name == "NIXERY_GIT_ALLOWED_REFS")
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from None
    unknown = sorted(content.keys() - set(names()) - ACCEPTED_FROM_GO_SERVER)
    if unknown:
        raise ConfigurationError(f"{file} sets {unknown[0]}, which is not a setting of this server")
    return content


def _require_one_source(given: Mapping[str, Any]) -> None:
    chosen = [name for name in SOURCES if given.get(name)]
    if len(chosen) != 1:
        found = " and ".join(chosen) if chosen else "none"
        raise ConfigurationError(
            f"set exactly one of {', '.join(SOURCES)} to choose where packages come from; "
            f"currently set: {found}"
        )


def _require_storage(settings: Settings) -> None:
    match settings.storage_backend:
        case "filesystem" if settings.storage_path is None:
            problem = "STORAGE_PATH is not set: the filesystem backend needs a directory for images"
        case "gcs" if not settings.gcs_bucket:
            problem = "GCS_BUCKET is not set: the gcs backend needs a bucket"
        case "s3" if not settings.s3_bucket:
            problem = "S3_BUCKET is not set: the s3 backend needs a bucket"
        case "s3" if bool(settings.s3_access_key) != bool(settings.s3_secret_key):
            problem = "set both S3_ACCESS_KEY and S3_SECRET_KEY, or neither"
        case _:
            return
    raise ConfigurationError(problem)


def _state_directory(environ: Mapping[str, str]) -> Path:
    """Systemd's StateDirectory, else the XDG state directory."""
    if systemd := _first(environ.get("STATE_DIRECTORY")):
        return Path(systemd)
    state = environ.get("XDG_STATE_HOME") or os.path.join(  # noqa: PTH118 - HOME may be unset
        environ.get("HOME", "/var/lib"), ".local/state"
    )
    return Path(state) / "nixery"


def _first(directories: str | None) -> str:
    """The first of systemd's directories: the variable lists all of the unit, between colons."""
    return (directories or "").split(":")[0]


def _one_line(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = problem["loc"][0]
    if problem["type"] == "missing":
        return f"{name} is not set"
    if problem["type"] == "too_short":
        return f"{name} is set but empty"
    match problem["type"]:
        case "bool_parsing":
            wanted = "expected 1 or 0"
        case "int_parsing":
            wanted = "expected a whole number"
        case "float_parsing":
            wanted = "expected a number"
        case _:
            wanted = problem["msg"].removeprefix("Value error, ")
    return f"{name}={problem['input']!r}: {wanted}"
