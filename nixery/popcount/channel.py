"""The graph of a channel: the store paths it lists, and their references from its binary cache.

nixpkgs lists about 100,000 paths, and a cache answers some hundred requests per second. So requests
run concurrently over persistent connections, and every answer is kept (``journal.py``).
"""

import lzma
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import urllib3

from nixery.closure import Closure, PathInfo, StorePath
from nixery.errors import NixeryError
from nixery.popcount.journal import Journal
from nixery.popcount.narinfo import STORE, hash_of, parse

DEFAULT_CACHE = "https://cache.nixos.org"
CACHE_CONNECTIONS = 32
CACHE_TIMEOUT = 30.0
"""Seconds to connect, and for each piece of a response."""
RETRIES = 5
"""Retries after no response, or a 429, 502, 503 or 504, after half a second, doubling each time."""


class Cache:
    """HTTP client. Thread-safe."""

    def __init__(self, url: str, connections: int = CACHE_CONNECTIONS) -> None:
        """Raises NixeryError if it is not a URL."""
        if not url.startswith(("http://", "https://")) or len(url.split()) != 1:
            raise NixeryError(
                f"{url[:200]!r} is not a URL: it must start with http:// or https:// and "
                "contain no spaces"
            )
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            timeout=CACHE_TIMEOUT,
            retries=urllib3.Retry(
                RETRIES, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504)
            ),
        )

    def close(self) -> None:
        self._pool.clear()

    def read(self, name: str) -> bytes | None:
        """None if it does not exist. Raises NixeryError."""
        url = self.address(name)
        try:
            answer = self._pool.request("GET", url)
        except urllib3.exceptions.HTTPError as error:
            raise NixeryError(f"cannot read {url}: {error}") from None
        # A bucket without permission to list answers 403 for a missing object.
        if answer.status in (403, 404):
            return None
        if answer.status != 200:
            raise NixeryError(f"cannot read {url}: the response is {answer.status}")
        return answer.data

    def address(self, name: str) -> str:
        return f"{self._url}/{name}"

    def info(self, path: StorePath) -> PathInfo | None:
        """None for a path that the cache does not have. Raises NixeryError."""
        name = f"{hash_of(path)}.narinfo"
        data = self.read(name)
        if data is None:
            return None
        try:
            return parse(data.decode())
        except ValueError as error:
            raise NixeryError(f"{self.address(name)}: {error}") from None


def cache_of(channel: Cache) -> str:
    """The URL of the binary cache that the channel names. Raises NixeryError."""
    data = channel.read("binary-cache-url")
    if data is None:
        return DEFAULT_CACHE
    try:
        return data.decode().strip() or DEFAULT_CACHE
    except UnicodeDecodeError as error:
        url = channel.address("binary-cache-url")
        raise NixeryError(f"{url} cannot be read: {error}; name the cache with --cache") from None


def listed(channel: Cache) -> list[StorePath]:
    """The store paths that the channel lists, at least one. Raises NixeryError."""
    url = channel.address("store-paths.xz")
    data = channel.read("store-paths.xz")
    if data is None:
        raise NixeryError(f"{url} does not exist: is it the URL of a channel?")
    try:
        lines = lzma.decompress(data).decode().split()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise NixeryError(f"{url} cannot be read: {error}") from None
    paths = sorted({line for line in lines if line.startswith(STORE)})
    if not paths:
        raise NixeryError(f"{url} lists no store paths")
    return paths


def graph(
    paths: Iterable[StorePath],
    ask: Callable[[StorePath], PathInfo | None],
    journal: Journal,
    connections: int = CACHE_CONNECTIONS,
) -> Iterator[int]:
    """Requests what the journal lacks, and their references; yields the number of pending paths.

    Raises the errors of ``ask``; earlier answers are kept.
    """
    seen: set[StorePath] = set()
    waiting = list(_unknown(paths, journal, seen))
    asked: dict[Future[PathInfo | None], StorePath] = {}
    with ThreadPoolExecutor(connections) as threads:
        try:
            while waiting or asked:
                while waiting and len(asked) < 2 * connections:
                    path = waiting.pop()
                    asked[threads.submit(ask, path)] = path
                done, _ = wait(asked, return_when=FIRST_COMPLETED)
                for future in done:
                    info = future.result()
                    journal.keep(asked.pop(future), info)
                    if info:
                        waiting.extend(_unknown(info.references, journal, seen))
                yield len(waiting) + len(asked)
        finally:
            threads.shutdown(cancel_futures=True)


def _unknown(
    paths: Iterable[StorePath], journal: Journal, seen: set[StorePath]
) -> Iterator[StorePath]:
    """Paths to request for the closure of these paths.

    Skips what was ``seen``, and adds what it visits: answers share most of their references.
    """
    ways = list(paths)
    while ways:
        path = ways.pop()
        if path in seen:
            continue
        seen.add(path)
        if path not in journal.known:
            yield path
        elif info := journal.known[path]:
            ways.extend(info.references)


def closure_of(paths: Iterable[StorePath], journal: Journal) -> Closure:
    """The known closure of the paths; leaves out what the cache lacks."""
    seen: set[StorePath] = set()
    ways = list(paths)
    while ways:
        path = ways.pop()
        if path not in seen and (info := journal.known.get(path)):
            seen.add(path)
            ways.extend(info.references)
    return Closure(
        tuple(
            PathInfo(path, info.size, tuple(to for to in info.references if to in seen))
            for path in sorted(seen)
            if (info := journal.known[path])
        )
    )
