"""Access of each Nix command to this machine: Nix, its store, and little else."""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nixery import expressions
from nixery.confinement import Confinement
from nixery.nix.store import STORE_DIR, store_root

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
_DEVICES = ("/dev/zero", "/dev/random", "/dev/urandom")
# Nix's garbage collector (Boehm) reads its own stack, and the number of cores.
_PROCESS = ("/proc/self/maps", "/proc/stat")
_NETWORK = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/nsswitch.conf"),
    *("/etc/services", "/etc/protocols", "/etc/ssl/certs", "/etc/pki/tls/certs"),
    "/etc/pki/ca-trust/extracted",
)
_GIT = Path("/etc/gitconfig")
_MAY_BE_SECRET = re.compile(r"extraheader|token|password|secret|://[^/\s]*@", re.IGNORECASE)
_CERTIFICATES = ("NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")
_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418, "ftp": 21}
_DNS = 53


@dataclass(frozen=True, slots=True)
class Machine:
    """``environment``: that of the Nix commands, see ``for_nix``."""

    environment: Mapping[str, str]

    @property
    def has_daemon(self) -> bool:
        """Whether a Nix daemon does the work; otherwise commands change the store themselves."""
        remote = self.environment.get("NIX_REMOTE", "").partition("?")[0]  # without parameters
        if remote in ("", "auto"):
            # The choice that Nix makes: https://nix.dev/manual/nix/2.26/store/types/#auto
            return not os.access(self._state, os.R_OK | os.W_OK)
        return remote == "daemon" or remote.startswith("unix://")

    @property
    def store(self) -> Path:
        """The store with its database: without a daemon, evaluation writes to both."""
        return self._store_root / "nix" if self._store_root == Path("/") else self._store_root

    def can_be_replaced(self, programs: Iterable[str | Path]) -> bool:
        """Whether evaluation can write to one of these, because there is no daemon."""
        store = self.store.resolve()
        return not self.has_daemon and any(
            Path(program).resolve().is_relative_to(store) for program in programs
        )

    @property
    def disks(self) -> tuple[Path, ...]:
        """The directories of the store, its database, and temporary files."""
        root = self._store_root
        state = self._state if root == Path("/") else root / "nix/var/nix"
        return root / STORE_DIR.lstrip("/"), state, Path(tempfile.gettempdir())

    def evaluation(
        self, trees: Iterable[Path], home: Path, allowed_uris: Iterable[str]
    ) -> Confinement:
        """``trees``: the evaluated files. Network only if URIs are allowed."""
        uris = tuple(allowed_uris)
        sockets = ["unix"] if self.has_daemon or uris else []
        return Confinement(
            readable=(*self._nix(), *_git(), *trees, *(self._network() if uris else ())),
            writable=(*self._writable(home), *(() if self.has_daemon else (self.store,))),
            sockets=(*sockets, *(("inet", "inet6", "netlink") if uris else ())),
            tcp_ports=self._ports(uris) if uris else (),
        )

    def client(self, home: Path, roots: Iterable[Path]) -> Confinement:
        """For commands of which the daemon does the work.

        ``roots``: the directories of their links.
        """
        return Confinement(
            readable=self._nix(), writable=(*self._writable(home), *roots), sockets=("unix",)
        )

    @property
    def _store_root(self) -> Path:
        # "//" and "/srv/.." are the root too. The store alone is writable then, not everything.
        return store_root(self.environment.get("NIX_REMOTE", "")).resolve()

    @property
    def _state(self) -> Path:
        return Path(self.environment.get("NIX_STATE_DIR", "/nix/var/nix"))

    def _nix(self) -> tuple[Path, ...]:
        configuration = Path(self.environment.get("NIX_CONF_DIR", "/etc/nix"), "nix.conf")
        store = self._store_root / STORE_DIR.lstrip("/")
        places = map(Path, (*_SYSTEM, STORE_DIR, *_DEVICES, *_PROCESS))
        return (*places, store, expressions.DIRECTORY, *self._path(), configuration)

    def _path(self) -> tuple[Path, ...]:
        """The directories of PATH, except those that contain the service's home or the root."""
        home = Path(self.environment.get("HOME", "/root"))
        found = map(Path, self.environment.get("PATH", os.defpath).split(":"))
        return tuple(
            path
            for path in dict.fromkeys(found)
            if path.is_absolute() and path not in (home, *home.parents)
        )

    def _writable(self, home: Path) -> tuple[Path, ...]:
        return home, Path("/dev/null")

    def _network(self) -> tuple[Path, ...]:
        named = (self.environment.get(name) for name in _CERTIFICATES)
        return tuple(map(Path, (*_NETWORK, *filter(None, named))))

    def _ports(self, uris: Iterable[str]) -> tuple[int, ...]:
        proxies = (v for name, v in self.environment.items() if name.lower().endswith("_proxy"))
        named = {_port(uri) for uri in (*uris, *proxies)}
        return tuple(sorted({_DNS, _PORTS["http"], _PORTS["https"], *filter(None, named)}))


def _git() -> tuple[Path, ...]:
    """Git's system-wide configuration, unless it may contain secrets.

    If the file exists, fetchers of Nix 2.26 and newer (libgit2) fail if they cannot read it.
    """
    try:
        return () if _MAY_BE_SECRET.search(_GIT.read_text(errors="replace")) else (_GIT,)
    except OSError:
        return ()


def protocols(uris: Iterable[str]) -> tuple[str, ...]:
    """The schemes of URIs as git names them: ``git+ssh://host/`` is ssh."""
    return tuple(sorted({_scheme(uri) for uri in uris} & _PORTS.keys()))


def _scheme(uri: str) -> str:
    return uri.partition("://")[0].rpartition("+")[2]


def _port(uri: str) -> int | None:
    try:
        return urlsplit(uri).port or _PORTS.get(_scheme(uri))
    except ValueError:
        return None
