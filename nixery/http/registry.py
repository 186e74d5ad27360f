"""Routes of the registry, which is read-only: other methods than GET and HEAD get a 405.

    /v2/                                  whether this is a registry
    /v2/<name>/manifests/<tag or digest>  manifests.py
    /v2/<name>/blobs/<digest>             blobs.py
    /v2/<name>/referrers/<digest>         an empty index: images have no referrers

A name may contain slashes, and the longest name wins: in ``/v2/a/manifests/b/blobs/<digest>`` the
image is ``a/manifests/b``.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#endpoints
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nixery import image_name
from nixery.http.blobs import Blobs
from nixery.http.manifests import Manifests
from nixery.oci import OCI_INDEX, canonical_json, parse_digest

_NO_REFERRERS = canonical_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})


def routes(manifests: Manifests, blobs: Blobs) -> list[Route]:
    """Each route answers GET and HEAD."""
    return [
        Route("/v2", base),
        Route("/v2/", base),
        Route("/v2/{name:path}/manifests/{reference}", manifests.serve),
        Route("/v2/{name:path}/blobs/{digest}", blobs.serve),
        Route("/v2/{name:path}/referrers/{digest}", referrers),
        Route("/v2/{rest:path}", unknown),
    ]


async def base(_request: Request) -> Response:
    return Response(b"{}", headers={"Content-Type": "application/json"})


async def referrers(request: Request) -> Response:
    """Also for unknown digests: the specification requires 200, not 404."""
    image_name.parse(request.path_params["name"])
    parse_digest(request.path_params["digest"])
    return Response(_NO_REFERRERS, headers={"Content-Type": OCI_INDEX})


async def unknown(_request: Request) -> Response:
    raise HTTPException(404, "no such endpoint: pull images as HOST/<package>/<package>:TAG")
