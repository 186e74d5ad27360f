"""The server process: assembles the parts, starts the application, and shuts it down."""

import asyncio
import gc
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import anyio.to_thread
import structlog
from starlette.applications import Starlette

from nixery.backends import BUILDER_COMMAND, open_storage
from nixery.errors import ConfigurationError, NixeryError, TagUnknown
from nixery.host.forced_exit import end_within
from nixery.host.sd_notify import ServiceManager
from nixery.http.app import create_app
from nixery.http.pages import About
from nixery.http.probes import Probes
from nixery.last_pulled import PullMarks
from nixery.logs.setup import configure_logging
from nixery.parts import Parts, make_parts
from nixery.settings import Settings
from nixery.wire.drain import TIMES, Drain, Times
from nixery.wire.server import serve as serve_http

log = structlog.get_logger()

RETRY = 5.0
"""Seconds between readiness checks at the start."""
COLLECT_AFTER = (10_000, 20, 20)
"""Thresholds of Python's garbage collector. With the defaults, it scans all objects again and again
while thousands of connections arrive; that took half of the time."""


def serve(settings: Settings, environ: Mapping[str, str], times: Times = TIMES) -> None:
    """Serves until SIGTERM or SIGINT. Ends the process even if threads hang.

    Raises ConfigurationError before it listens.
    """
    # Text for a terminal, JSON for everything else.
    configure_logging(sys.stderr, json=not sys.stderr.isatty(), level=settings.log_level)
    # Fail at the start instead of at the first pull.
    if shutil.which(BUILDER_COMMAND, path=environ.get("PATH", os.defpath)) is None:
        raise ConfigurationError(
            f"{BUILDER_COMMAND} is not on PATH: it is installed beside the nixery command"
        )
    parts = make_parts(settings, environ, open_storage(settings))
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    manager, drain = ServiceManager(environ), Drain()
    probes = make_probes(parts, drain)
    starting: set[asyncio.Task[None]] = set()  # asyncio keeps only weak references

    def start(_: str) -> None:
        starting.add(asyncio.create_task(_announce(probes, manager)))
        if settings.pkgs_path or settings.channel:
            starting.add(asyncio.create_task(_check_packages(parts)))

    async def stop() -> None:
        end_within(times.grace + times.spare + times.last)
        drain.begin()
        manager.stopping()
        await drain.finish(parts.answers.cancel, times.grace)

    app = make_app(settings, parts, probes, drain, manager)
    serve_http(app, settings.listen, settings.port, on_start=start, on_stop=stop, times=times)


def make_probes(parts: Parts, drain: Drain) -> Probes:
    """The checks of ``/readyz``."""
    checks = {
        "storage": lambda: anyio.to_thread.run_sync(parts.storage.ping),
        "nix": parts.nix.check,
        "disk": parts.disk.check,
    }
    return Probes(checks, drain, time.monotonic)


async def _check_packages(parts: Parts) -> None:
    """Reports a package set that this Nix cannot evaluate now, instead of at the first pull.

    Of a channel this fetches the files, so that the first pull need not wait for them. The set may
    be mended later, so the server goes on.
    """
    try:
        found = await parts.source.resolve("latest")
        await parts.nix.check_set(await parts.source.read(found))
    except TagUnknown:  # NIXERY_TAGS allows others only
        return
    except NixeryError as error:
        log.error("no package can be built", reason=error.message)  # noqa: TRY400 - no traceback


async def _announce(probes: Probes, manager: ServiceManager) -> None:
    """Reports readiness once all checks pass. Stored images are served before that."""
    while True:
        results = await probes.results()
        wrong = {name: reason for name, reason in results.items() if reason != "ok"}
        if not wrong:
            manager.ready()
            return
        log.warning("not ready yet", **wrong)
        manager.status("; ".join(f"{name}: {reason}" for name, reason in wrong.items()))
        await asyncio.sleep(RETRY)


def make_app(
    settings: Settings, parts: Parts, probes: Probes, drain: Drain, manager: ServiceManager
) -> Starlette:
    """The application. Its lifespan opens and closes the parts."""
    marking = ThreadPoolExecutor(1, thread_name_prefix="marks")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            # Pending marks are dropped: the shutdown must not wait for a bucket that hangs.
            stack.callback(marking.shutdown, wait=False, cancel_futures=True)
            stack.enter_context(parts.workers)
            await stack.enter_async_context(parts.verifier)
            await stack.enter_async_context(parts.tables.opened())
            await stack.enter_async_context(parts.builder.opened())
            await stack.enter_async_context(parts.answers.opened())
            if settings.storage_max_bytes:
                await stack.enter_async_context(parts.collector.opened())
            feeding = asyncio.create_task(manager.keep_alive())
            stack.callback(feeding.cancel)
            yield

    return create_app(
        images=parts.answers,
        storage=parts.storage,
        about=About(source=parts.source.origin),
        error_status=settings.error_status,
        accel_prefix=settings.accel_prefix,
        on_pull=PullMarks(parts.storage, time.time, marking.submit).note,
        probes=probes,
        drain=drain,
        verifier=parts.verifier,
        lifespan=lifespan,
    )
