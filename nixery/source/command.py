"""Running git for a service: nobody is asked, nothing foreign runs, nothing outlives its caller.

- Configuration: git reads one file that is written here, and no system-wide or personal one; both
  can name programs to run. An operator who needs settings of his own (a credential helper, a
  proxy, a certificate) names a file in GIT_CONFIG_GLOBAL, which is included. Keys of ssh, netrc,
  GIT_ASKPASS and GIT_SSH_COMMAND go on working.
- Prompts: GIT_TERMINAL_PROMPT=0, ssh in batch mode, no terminal (a session of its own).
- Transport: GIT_ALLOW_PROTOCOL names the one scheme of the address, so that redirects, rewritten
  addresses and submodules cannot choose another one. Commands that need no network may use none:
  a partial clone would fetch what it lacks, object by object.
- Secrets: a password is in no argument and no address, it comes from a helper that answers for
  its own host only; user information in what git prints is cut out.
- End: each call has a deadline. Past it, or when the caller is cancelled, git's process group is
  ended: SIGTERM, so that git removes its lock files, and SIGKILL after a moment.
"""

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anyio import CancelScope, move_on_after

from nixery.source.address import Address

LISTING_SECONDS = 30.0
"""A forge lists its refs in 1-3 s; docker's patience with us is not much longer than this."""
TREE_SECONDS = 240.0
"""One commit of nixpkgs is 45 MB and takes 10-30 s; below NIXERY_REQUEST_TIMEOUT's default."""
HISTORY_SECONDS = 3600.0
"""All commits of nixpkgs take minutes, once; requests do not wait for the end of it."""
LOCAL_SECONDS = 120.0
"""Reading the mirror takes milliseconds, writing 40,000 files seconds; a busy disk more."""

AT_ONCE = 16
"""Processes of one source. Most take milliseconds; a few that fetch may go on for minutes."""

_TERMINATION_SECONDS = 2.0
_KEPT_MESSAGES = 16_384  # bytes of what git, or the server through it, has to say; its end counts

_KEPT_VARIABLES = re.compile(
    r"GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|PROXY_SSL_.*|HTTP_PROXY.*|EXEC_PATH"
    r"|CONFIG_COUNT|CONFIG_KEY_\d+|CONFIG_VALUE_\d+)"
)
"""What an operator may tell git; GIT_DIR, GIT_TRACE and the like would lead it elsewhere."""

_ALWAYS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    # A revision's files are its bytes: no line ends, filters or names are changed, and names
    # that only Windows or macOS could not hold are written like all others.
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
    # A background process would escape its deadline.
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
}
_OPTIONS = tuple(word for key, value in _ALWAYS.items() for word in ("-c", f"{key}={value}"))

_USER_INFO = re.compile(r"(?<=://)[^/\s'\"]*@|\b[\w.+~-]+@(?=[\w.-]+:)")


class GitFailed(Exception):
    """Git ended with an error; ``messages`` is what it printed, without user information."""

    def __init__(self, verb: str, status: int, messages: str) -> None:
        super().__init__(f"git {verb} ended with {status}: {messages}")
        self.verb = verb
        self.status = status
        self.messages = messages


class GitTimedOut(GitFailed):
    """The deadline passed; git is gone."""


@dataclass(frozen=True, slots=True)
class Output:
    stdout: bytes
    messages: str


class Git:
    """Git for one address, which it knows as the remote ``origin``."""

    def __init__(self, address: Address, directory: Path, environ: Mapping[str, str]) -> None:
        """Writes the configuration to ``directory``, readable by its owner only."""
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "config"
        login = directory / "login"
        if address.login:
            user, password = address.login
            _write_private(login, f"username={user}\npassword={password}\n")
        else:
            login.unlink(missing_ok=True)
        included = environ.get("GIT_CONFIG_GLOBAL", "")
        _write_private(config, configuration(address, login=login, included=included))
        self._environ = environment(environ, config)
        self._scheme = address.scheme
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(
        self,
        *arguments: str,
        directory: Path,
        deadline: float,
        work_tree: Path | None = None,
        network: bool = False,
    ) -> Output:
        """Run git on the bare repository ``directory``; ``deadline`` is in seconds.

        Raises GitTimedOut, or GitFailed for any status but 0.
        """
        place = [f"--git-dir={directory}", *([f"--work-tree={work_tree}"] if work_tree else [])]
        async with self._slots:
            return await self._run(place, arguments, deadline, self._scheme if network else "none")

    async def _run(
        self, place: Sequence[str], arguments: Sequence[str], deadline: float, protocol: str
    ) -> Output:
        process = await asyncio.create_subprocess_exec(
            "git",
            *_OPTIONS,
            *place,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environ | {"GIT_ALLOW_PROTOCOL": protocol},
            cwd="/",
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        verb = arguments[0]
        ended = False
        try:
            async with asyncio.timeout(deadline):
                stdout, stderr, status = await asyncio.gather(
                    process.stdout.read(), _end_of(process.stderr), process.wait()
                )
            ended = True
        except TimeoutError:
            raise GitTimedOut(verb, -1, f"no end after {deadline:g} s") from None
        finally:
            if not ended:
                await _end(process)
        messages = without_user_info(stderr.decode(errors="replace")).strip()
        if status != 0:
            raise GitFailed(verb, status, messages)
        return Output(stdout, messages)


def configuration(address: Address, *, login: Path, included: str) -> str:
    """The text of the only configuration file that git reads."""
    lines = ["[http]", "\tlowSpeedLimit = 1000", "\tlowSpeedTime = 30"]
    lines += ['[remote "origin"]', f"\turl = {_quoted(address.url)}"]
    if address.login:
        # Git's own protocol for this: only "get" is answered, so that nothing is ever stored or
        # erased, and only for this site, so that a redirect does not carry the password away.
        answer = f'!f() {{ test "$1" = get && cat {shlex.quote(str(login))}; }}; f'
        lines += [f"[credential {_quoted('https://' + address.site)}]"]
        lines += [f"\thelper = {_quoted(answer)}"]
    if address.scheme == "file":
        # The other side is a git of ours, reading a repository that the operator named, whoever
        # owns it; it offers what the mirror and single commits need.
        lines += ["[safe]", "\tdirectory = *", "[uploadpack]", "\tallowFilter = true"]
    if included:
        lines += ["[include]", f"\tpath = {_quoted(included)}"]
    return "\n".join(lines) + "\n"


def environment(environ: Mapping[str, str], config: Path) -> dict[str, str]:
    """The service's environment as git may see it."""
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
    """A command that is not OpenSSH's may not know the option and is left as it is."""
    program = command.strip().partition(" ")[0]
    if Path(program).name != "ssh" or "batchmode" in command.lower():
        return command
    return f"{command} -o BatchMode=yes -o ConnectTimeout=15"


def _quoted(value: str) -> str:
    """As git's configuration files quote values and subsections."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    staged.rename(path)


async def _end_of(stream: asyncio.StreamReader) -> bytes:
    """Read everything and keep the last of it."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-_KEPT_MESSAGES:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the process group, whether or not git itself still runs."""
    with CancelScope(shield=True):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with move_on_after(_TERMINATION_SECONDS):
            await process.wait()
        # What git started may have more patience than git.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # The pipes close with the last of the group, which is how it is known to be gone.
        with move_on_after(_TERMINATION_SECONDS):
            await process.communicate()
