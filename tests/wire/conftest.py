"""A registry with one large blob, and the log of the test."""

import logging
import os

import pytest
from structlog.testing import capture_logs
from support.wire.one_blob import SIZE, registry


@pytest.fixture(scope="session")
def blob_file(tmp_path_factory):
    """The file of the only blob; ``blob`` is its content, ``watched`` its registry."""
    path = tmp_path_factory.mktemp("blobs") / "blob"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture(scope="session")
def blob(blob_file):
    return blob_file.read_bytes()


@pytest.fixture
def watched(blob_file):
    return registry(blob_file)


@pytest.fixture
def logs(caplog):
    """Log lines; an error, or a warning of uvicorn, fails the test."""
    with capture_logs() as lines, caplog.at_level(logging.INFO):
        yield lines
    assert {line["log_level"] for line in lines} <= {"info"}
    records = caplog.get_records("call")
    assert [record for record in records if record.levelno > logging.INFO] == []
