"""With a directory as storage, the libraries of buckets are not imported."""

import subprocess
import sys

import pytest

HEAVY = ("google", "boto3", "botocore", "requests", "tenacity", "urllib3")


def loaded(statement):
    program = f"import sys; {statement}; print(*(n for n in {HEAVY} if n in sys.modules))"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_a_server_with_a_directory_loads_no_library_of_a_bucket():
    """They take half a second of CPU time, and 20 to 30 MB."""
    assert loaded("import nixery.cli, nixery.service") == []


@pytest.mark.parametrize(
    ("backend", "others"), [("gcs", {"boto3", "botocore"}), ("s3", {"google"})]
)
def test_a_bucket_loads_its_own_library_only(backend, others):
    found = set(loaded(f"import nixery.storage.{backend}"))
    assert found
    assert not found & others
