"""Every error becomes the registry's JSON, without internal details."""

import errno
import json

import pytest
from starlette.exceptions import HTTPException

from nixery import errors
from nixery.http.errors import describe, explain, render

ID = "the-request"


@pytest.mark.parametrize(
    ("error", "friendly", "strict", "code"),
    [
        (errors.NameInvalid("m"), 400, 400, "NAME_INVALID"),
        (errors.DigestInvalid("m"), 400, 400, "DIGEST_INVALID"),
        (errors.ManifestUnknown("m"), 404, 404, "MANIFEST_UNKNOWN"),
        (errors.TagUnknown("m"), 404, 404, "MANIFEST_UNKNOWN"),
        (errors.PackageNotFound("m"), 404, 404, "MANIFEST_UNKNOWN"),
        (errors.EvaluationFailed("m"), 404, 502, "MANIFEST_UNKNOWN"),
        (errors.BuildFailed("m"), 404, 502, "MANIFEST_UNKNOWN"),
        (errors.TimedOut("m"), 404, 504, "MANIFEST_UNKNOWN"),
        (errors.Denied("m"), 403, 403, "DENIED"),
        (errors.BlobUnknown("m"), 404, 404, "BLOB_UNKNOWN"),
        (errors.SourceUnavailable("m"), 503, 503, "UNAVAILABLE"),
        (errors.StorageFull("m"), 507, 507, "UNKNOWN"),
        (HTTPException(404, "m"), 404, 404, "UNSUPPORTED"),
        (HTTPException(418, "m"), 418, 418, "UNKNOWN"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_known(error, friendly, strict, code):
    """Status and code are the error's own; its message is what the client prints."""
    for mode, status in (("friendly", friendly), ("strict", strict)):
        failure = describe(error, mode, ID)
        assert (failure.status, failure.code, failure.message) == (status, code, "m")
        assert failure.is_ours == (status >= 500)
        assert ("request_id" in failure.detail) == (status >= 500)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("secret"),
        OSError(errno.EIO, "secret"),
        errors.NixeryError("secret"),
        errors.ConfigurationError("secret"),
        ExceptionGroup("secret", [ValueError("secret")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own_fault(error):
    """500 with the request id; what went wrong is for the log."""
    failure = describe(error, "friendly", ID)
    assert (failure.status, failure.code) == (500, "UNKNOWN")
    assert failure.detail == {"request_id": ID}
    assert ID in failure.message
    assert b"secret" not in render(failure).body


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_full(number):
    """A full disk is reported as such, wherever it occurred."""
    full = OSError(number, "no room")
    for error in (full, ExceptionGroup("tasks", [ValueError(), ExceptionGroup("more", [full])])):
        assert describe(error, "friendly", ID).status == 507


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_left(number):
    """Many requests use up all of them: clients retry, and the log shows no fault."""
    failure = describe(OSError(number, "Too many open files"), "friendly", ID)
    assert (failure.status, failure.headers["Retry-After"]) == (429, "10")


def test_error_of_a_task_group():
    """A task group's wrapping does not hide the error of the first task."""
    group = ExceptionGroup("tasks", [errors.Denied("unfree"), ValueError("another")])
    assert describe(group, "friendly", ID).message == "unfree"


def test_detail():
    """The cause and further lines are in the detail."""
    error = errors.BuildFailed("hello failed", cause="build_failed", log=["one", "two"])
    detail = {"cause": "build_failed", "log": ["one", "two"]}
    assert describe(error, "friendly", ID).detail == detail
    assert describe(error, "strict", ID).detail == {**detail, "request_id": ID}


def test_paths_of_the_server():
    """Neither the message nor the log shows them; the server's log does."""
    error = errors.EvaluationFailed("in /srv/set/x.nix", log=["at '/srv/set/y.nix'"])
    failure = describe(error, "friendly", ID)
    assert b"srv" not in render(failure).body
    assert (failure.message, failure.detail["log"]) == ("in …/x.nix", ["at '…/y.nix'"])
    assert "/srv/set/x.nix" in str(explain(error))


def test_the_clients_own_words_are_kept():
    message = "'/etc/passwd' is not an image name"
    assert describe(errors.NameInvalid(message), "friendly", "id").message == message


def test_message_is_one_line():
    """Docker prints it as it is."""
    error = errors.EvaluationFailed("error: attribute\n  'x' missing\r\n\tat default.nix")
    message = describe(error, "friendly", ID).message
    assert message == "error: attribute 'x' missing at default.nix"


def test_headers():
    """Retry-After and similar headers are kept; Allow is sorted; errors must not be cached."""
    assert describe(errors.SourceUnavailable("m"), "friendly", ID).headers == {"Retry-After": "10"}
    refused = HTTPException(405, headers={"Allow": "HEAD, GET"})
    assert describe(refused, "friendly", ID).headers == {"Allow": "GET, HEAD"}
    assert "accepts no pushes" in describe(refused, "friendly", ID).message
    response = render(describe(refused, "friendly", ID))
    assert response.headers["allow"] == "GET, HEAD"
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"


def test_body():
    """The specification's form, even if a build log has arbitrary bytes."""
    response = render(describe(errors.BuildFailed("bad \udcff\x1b", log=["\x1b"]), "friendly", ID))
    assert json.loads(response.body) == {
        "errors": [
            {"code": "MANIFEST_UNKNOWN", "message": "bad \udcff\x1b", "detail": {"log": ["\x1b"]}}
        ]
    }


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.StorageUnavailable("m", log=["403: no"]), {"error": "m", "log": ("403: no",)}),
        (ExceptionGroup("g", [errors.StoreDamaged("m")]), {"error": "m"}),
        (HTTPException(503, "m"), {"error": "m"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_was_foreseen_is_one_line_of_the_log(error, said):
    assert explain(error) == said


def test_the_log_names_the_file_that_clients_do_not_see():
    error = errors.StorageUnavailable("m")
    error.__cause__ = PermissionError(13, "denied", "/srv/staging/x")
    assert explain(error)["because"].endswith("denied: '/srv/staging/x'")
    assert "/srv" not in str(describe(error, "friendly", ID))


def test_unexpected_errors_are_logged_with_a_traceback():
    error = OSError(errno.ENOENT, "No such file or directory", "/gone")
    assert explain(error) == {
        "error": "FileNotFoundError: [Errno 2] No such file or directory: '/gone'",
        "exc_info": error,
    }
