"""Configuration and environment of git when it runs for a service.

- Configuration: git reads only the file that is written here. System-wide and personal ones can
  name programs to run. Operators can include a file of theirs (a credential helper, a proxy, a
  certificate) with GIT_CONFIG_GLOBAL. SSH keys, netrc, GIT_ASKPASS and GIT_SSH_COMMAND work.
- Prompts: GIT_TERMINAL_PROMPT=0, and ssh in batch mode.
- Secrets: a password is in no argument and no address. A credential helper returns it, for its
  own host only. User information is removed from git's output.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from nixery.source.address import Address

_KEPT_VARIABLES = re.compile(
    r"GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|PROXY_SSL_.*|HTTP_PROXY.*|EXEC_PATH"
    r"|CONFIG_COUNT|CONFIG_KEY_\d+|CONFIG_VALUE_\d+)"
)
"""Variables that operators may set for git; GIT_DIR, GIT_TRACE and others would break it."""

_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    # Files are the bytes of the commit: line ends, filters and names are not converted, and names
    # that only Windows or macOS forbid are written too.
    "core.attributesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.symlinks": "true",
    "core.fileMode": "true",
    "core.ignoreCase": "false",
    "core.precomposeUnicode": "false",
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    "core.sparseCheckout": "false",
    "protocol.version": "2",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "transfer.bundleURI": "false",
    # Packs only: thousands of loose objects would be slower to write, and slower to read.
    "fetch.unpackLimit": "1",
    # A background process would ignore the deadline.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
}
OPTIONS = tuple(word for key, value in _ALWAYS.items() for word in ("-c", f"{key}={value}"))

_USER_INFO = re.compile(r"(?<=://)[^/\s'\"]*@|\b[\w.+~-]+@(?=[\w.-]+:)")


def write(address: Address, directory: Path, included: str) -> Path:
    """Writes the configuration, and the password if there is one, readable by the owner only."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "config"
    login = directory / "login"
    if address.login:
        user, password = address.login
        _write_private(login, f"username={user}\npassword={password}\n")
    else:
        login.unlink(missing_ok=True)
    _write_private(config, configuration(address, login=login, included=included))
    return config


def configuration(address: Address, *, login: Path, included: str) -> str:
    """The text of the only configuration file that git reads."""
    lines = ["[http]", "\tlowSpeedLimit = 1000", "\tlowSpeedTime = 30"]
    lines += ['[remote "origin"]', f"\turl = {_quoted(address.url)}"]
    if address.login:
        # Git's credential protocol. Only "get" is answered, so nothing is stored or erased, and
        # only for this site, so a redirect does not get the password.
        answer = f'!f() {{ test "$1" = get && cat {shlex.quote(str(login))}; }}; f'
        lines += [f"[credential {_quoted('https://' + address.site)}]"]
        lines += [f"\thelper = {_quoted(answer)}"]
    if address.scheme == "file":
        # The remote side is this machine's git, reading a repository that the operator named.
        # Its owner may be another user. It must offer what the mirror and single commits need.
        lines += ["[safe]", "\tdirectory = *", "[uploadpack]", "\tallowFilter = true"]
    if included:
        lines += ["[include]", f"\tpath = {_quoted(included)}"]
    return "\n".join(lines) + "\n"


def environment(environ: Mapping[str, str], config: Path) -> dict[str, str]:
    """The service's environment, filtered for git."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or _KEPT_VARIABLES.fullmatch(name)
    }
    kept |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }
    if "GIT_SSH" not in kept or "GIT_SSH_COMMAND" in kept:
        kept["GIT_SSH_COMMAND"] = _in_batch_mode(kept.get("GIT_SSH_COMMAND", "ssh"))
    return kept


def without_user_info(text: str) -> str:
    return _USER_INFO.sub("", text)


def _in_batch_mode(command: str) -> str:
    """Adds batch mode to OpenSSH; other commands may not support the option."""
    program = command.strip().partition(" ")[0]
    if Path(program).name != "ssh" or "batchmode" in command.lower():
        return command
    return f"{command} -o BatchMode=yes -o ConnectTimeout=15"


def _quoted(value: str) -> str:
    """Quoted as values and subsections of git's configuration files."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    staged.rename(path)
