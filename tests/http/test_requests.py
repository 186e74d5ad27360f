"""Around every request: the id, the log line, the error that is not handled elsewhere."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from nixery.http.requests import RequestContext, is_registry, request_id
from nixery.wire.drain import Drain

pytestmark = pytest.mark.anyio


@pytest.fixture
def logged():
    with capture_logs() as lines:
        yield lines


def wrap(app):
    return RequestContext(
        app, on_error=lambda _request, error: PlainTextResponse(str(error), 500), drain=Drain()
    )


@pytest.mark.parametrize("given", ["0123456789abcdef", "0b3a-4f.x_y:z=+/", "a" * 128])
def test_sane_id_is_taken_over(given):
    """A proxy's id joins its log with ours."""
    assert request_id(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "short", "a" * 129, "two words!", "line\nbreak", "é" * 9]
)
def test_other_id_is_replaced(given):
    """Nothing that a client makes up can garble the log."""
    made = request_id(given)
    assert made != given
    assert len(made) == 32
    assert made != request_id(given)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", True),
        ("/v2/", True),
        ("/v2/a", True),
        ("/v2a", False),
        ("/", False),
        ("/a/v2", False),
    ],
)
def test_is_registry(path, expected):
    assert is_registry(path) is expected


async def test_id_everywhere(client_of, logged):
    """The id is in the log's context, in the response, and in the line of the request."""
    seen = {}

    async def app(scope, receive, send):
        seen.update(get_contextvars(), state=Request(scope).state.request_id)
        await PlainTextResponse("hello")(scope, receive, send)

    async with client_of(wrap(app)) as client:
        response = await client.get("/", headers={"X-Request-Id": "proxy-0001"})
    assert response.headers["x-request-id"] == "proxy-0001"
    assert seen == {"request_id": "proxy-0001", "state": "proxy-0001"}
    assert get_contextvars() == {}
    assert len(logged) == 1


async def test_line(client_of, logged):
    """One line per request: the request, the answer, its size and duration, and the client."""
    async with client_of(wrap(PlainTextResponse("hello"))) as client:
        await client.get("/v2/a%0Ab", headers={"User-Agent": "x" * 300})
    (line,) = logged
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/v2/a%0Ab",
        "status": 200,
        "bytes": 5,
        "user_agent": "x" * 200,
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (f"/v2/hello/blobs/sha256:{'0' * 64}", f"/v2/hello/blobs/sha256:{'0' * 64}"),
        (f"/v2/hello/blobs/sha256%3a{'0' * 64}", f"/v2/hello/blobs/sha256:{'0' * 64}"),
        ("/v2/gtk%2B/a@b,c/d_e.f-1~", "/v2/gtk+/a@b,c/d_e.f-1~"),
        ("/v2/a%0D%0Ab%09%1B%7F%C2%9B", "/v2/a%0D%0Ab%09%1B%7F%C2%9B"),
        ("/v2/%22status%22=200%20%27%25%3F%23%E2%80%A8", None),
    ],
)
async def test_a_path_can_be_searched_for(client_of, logged, asked, found):
    """Digests and names are as people write them; what could forge a line stays quoted."""
    async with client_of(wrap(PlainTextResponse("hello"))) as client:
        await client.get(asked)
    (line,) = logged
    assert line["path"] == (found or asked.replace("=", "%3D"))


async def test_line_is_bounded(client_of, logged):
    """A client controls neither the length of a line nor a terminal."""
    async with client_of(wrap(PlainTextResponse("hello"))) as client:
        await client.get("/" + "x" * 10_000, headers={"User-Agent": b"\x9b31m red \xff"})
    (line,) = logged
    assert line["path"] == "/" + "x" * 511
    assert line["user_agent"] == r"\x9b31m red \xff"


async def test_head_sends_no_bytes(client_of, logged):
    """The server drops the body of a HEAD: the line must not include its size."""
    async with client_of(wrap(PlainTextResponse("hello"))) as client:
        response = await client.head("/v2/")
    assert response.headers["content-length"] == "5"
    assert logged[0]["bytes"] == 0
    assert "aborted" not in logged[0]


async def test_version_header_is_the_registrys(client_of, logged):
    """Clients look for it below /v2, in every answer."""
    async with client_of(wrap(PlainTextResponse("hello", 404))) as client:
        assert (await client.get("/v2/x")).headers["docker-distribution-api-version"]
        assert "docker-distribution-api-version" not in (await client.get("/")).headers
    assert len(logged) == 2


async def test_error_before_the_response(client_of, logged):
    """Is rendered, and logged as the request's end."""

    async def app(_scope, _receive, _send):
        raise ValueError("why")

    async with client_of(wrap(app)) as client:
        response = await client.get("/")
    assert (response.status_code, response.text) == (500, "why")
    assert logged[0]["status"] == 500


async def test_error_within_the_response(client_of, logged):
    """Must break the connection: a client could take the half it has for the whole."""

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("torn")

    async with client_of(wrap(app)) as client:
        with pytest.raises(ValueError, match="torn"):
            await client.get("/")
    assert logged[0]["aborted"] is True
    assert logged[0]["bytes"] == 4


async def test_other_scopes_pass(logged):
    """The lifespan is not a request."""
    seen = []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    await wrap(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
    assert logged == []
