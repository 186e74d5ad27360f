"""The storage that the settings choose, and starting without a reachable bucket."""

import sys

import pytest
from structlog.testing import capture_logs
from support.fake_gcs import FakeGcs

import nixery.storage
from nixery.errors import ConfigurationError, StorageUnavailable
from nixery.service import open_storage
from nixery.settings import load
from nixery.storage.bucket import Patience
from nixery.storage.filesystem import FilesystemStorage
from nixery.storage.gcs import GcsStorage
from nixery.storage.s3 import S3Storage

GIVES_UP = Patience(deadline=0.05, stall=10, connect=2, pause=0.001)


@pytest.fixture
def settings(tmp_path):
    def settings(backend, **more):
        least = {"NIXERY_PKGS_PATH": "/pkgs", "HOME": str(tmp_path)}
        return load(least | {"NIXERY_STORAGE_BACKEND": backend} | more)

    return settings


def test_a_directory(settings, tmp_path):
    storage = open_storage(settings("filesystem", STORAGE_PATH=str(tmp_path / "images")))
    assert isinstance(storage, FilesystemStorage)
    assert (tmp_path / "images/layers").is_dir()


def test_a_bucket_of_google(settings, google, bucket):
    chosen = settings("gcs", GCS_BUCKET=bucket.name, STORAGE_EMULATOR_HOST=google.url)
    assert isinstance(open_storage(chosen), GcsStorage)


def test_a_bucket_of_s3(settings, s3_options, s3_bucket):
    chosen = settings(
        "s3",
        S3_BUCKET=s3_bucket,
        S3_ENDPOINT=s3_options.endpoint,
        S3_ACCESS_KEY="key",
        S3_SECRET_KEY="secret",
        S3_LINK_EXPIRATION="7",
    )
    storage = open_storage(chosen)
    assert isinstance(storage, S3Storage)
    assert storage._link_expiration == 7
    storage._client.close()


def test_s3_without_its_extra(settings, monkeypatch):
    for name in [n for n in sys.modules if n.startswith(("nixery.storage.s3", "boto3."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(nixery.storage, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"needs the Python package boto3: .*nixery\[s3\]"):
        open_storage(settings("s3", S3_BUCKET="images"))


def test_a_wrong_setting_ends_the_start(settings, google):
    with pytest.raises(ConfigurationError, match="this bucket does not exist"):
        open_storage(settings("gcs", GCS_BUCKET="other", STORAGE_EMULATOR_HOST=google.url))


def test_a_bucket_that_does_not_answer_does_not_end_the_start(settings):
    """It may come back, and cached content can be served until then."""
    server = FakeGcs()
    server.stop()
    chosen = settings("gcs", GCS_BUCKET="images", STORAGE_EMULATOR_HOST=server.url)
    with capture_logs() as lines:
        storage = open_storage(chosen, GIVES_UP)
    assert "started although the bucket does not answer" in {line["event"] for line in lines}
    with pytest.raises(StorageUnavailable):
        storage.stat("layers/key")
