"""The ASGI application: the routes, and the middleware that handles every request."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from nixery.errors import ErrorStatus, TooBusy
from nixery.http import errors, registry
from nixery.http.blobs import Blobs
from nixery.http.manifests import ImageService, Manifests
from nixery.http.pages import About, Pages, wants_html
from nixery.http.probes import Probes
from nixery.http.requests import ErrorHandler, RequestContext, is_registry
from nixery.oci import Digest
from nixery.storage import Storage
from nixery.verified_blobs import VerifiedBlobs
from nixery.wire.drain import Drain

log = structlog.get_logger()

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def _nobody(_: Digest) -> None: ...


def create_app(  # noqa: PLR0913 - the components of an application
    *,
    images: ImageService,
    storage: Storage,
    about: About,
    error_status: ErrorStatus = "friendly",
    on_pull: Callable[[Digest], None] = _nobody,
    accel_prefix: str = "",
    probes: Probes | None = None,
    drain: Drain | None = None,
    verifier: VerifiedBlobs | None = None,
    lifespan: Lifespan | None = None,
) -> Starlette:
    """``on_pull`` is called with the digest of every served manifest; it must not block.

    ``probes``: readiness checks. ``drain``: counts requests in progress, for the shutdown.
    ``verifier``: shared with all other users of the storage's blobs.

    ``accel_prefix``: leaves blobs in files to an nginx in front (docs/nginx.md).

    ``lifespan`` opens and closes the parts that the application uses, such as the builder.
    """
    pages = Pages(about)
    drain = drain or Drain()
    verifier = verifier or VerifiedBlobs(storage)
    manifests = Manifests(images, storage, on_pull, drain)
    probes = probes or Probes({}, drain, time.monotonic)
    handler = _error_handler(pages, error_status)
    app = Starlette(
        routes=[
            *registry.routes(manifests, Blobs(verifier, accel_prefix)),
            *probes.routes(),
            *pages.routes(),
        ],
        middleware=[Middleware(RequestContext, on_error=handler, drain=drain)],
        # Starlette would render these as plain text before the middleware could render them as
        # JSON.
        exception_handlers={HTTPException: handler},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # registry clients do not follow such redirects
    return app


def _error_handler(pages: Pages, mode: ErrorStatus) -> ErrorHandler:
    def handle(request: Request, error: Exception) -> Response:
        failure = errors.describe(error, mode, request.state.request_id)
        if failure.is_ours:
            log.error("request failed", status=failure.status, **errors.explain(error))
        elif (
            failure.status != TooBusy.status
        ):  # a crowd causes many; the throttled line covers them
            log.info("request refused", code=failure.code, message=failure.message)
        is_page = failure.status == 404 and not is_registry(request.scope["path"])
        if is_page and wants_html(request.headers.getlist("accept")):
            return pages.missing(request)
        return errors.render(failure)

    return handle
