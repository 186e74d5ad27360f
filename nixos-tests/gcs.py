"""Two registries behind nginx share a bucket, and each image is made once."""

import json

OCI = "application/vnd.oci.image.manifest.v1+json"
CURL = f"curl --silent --fail --max-time 280 -H 'Accept: {OCI}'"


def ask(path: str, of: str = "front") -> str:
    return front.succeed(f"{CURL} http://{of}{path}")


def headers(image: str, of: str) -> dict[str, str]:
    return _headers(front.succeed(f"{CURL} --head http://{of}/v2/{image}/manifests/latest"))


def _headers(text: str) -> dict[str, str]:
    lines = [line.split(":", 1) for line in text.splitlines() if ":" in line]
    return {name.lower(): value.strip() for name, value in lines}


def images_made() -> int:
    """Of both; a replica that waits for the other builds none."""
    count = "journalctl --unit=nixery.service --output=cat | grep --count 'image built' || true"
    for replica in (one, two):
        replica.succeed("journalctl --sync || true")  # includes lines logged a moment ago
    return sum(int(replica.succeed(count)) for replica in (one, two))


bucket.wait_for_unit("fake-gcs-server.service")
bucket.wait_for_open_port(4443, "bucket")
front.wait_for_unit("nginx.service")
front.succeed(
    "curl --silent --fail -H 'Content-Type: application/json' --data '{\"name\": \"images\"}'"
    " 'http://bucket:4443/storage/v1/b?project=test'"
)
for replica, name in ((one, "one"), (two, "two")):
    replica.succeed("systemctl start nixery.service")
    replica.wait_for_open_port(8080, name)

with subtest("Check that an image that both are asked for at once is built once"):
    request = f"{CURL} --head http://%s:8080/v2/shell/git/htop/manifests/latest > /tmp/%s"
    commands = " & ".join(request % (name, name) for name in ("one", "two"))
    front.succeed(f"{commands} & wait")
    answers = [_headers(front.succeed(f"cat /tmp/{name}")) for name in ("one", "two")]
    assert answers[0]["docker-content-digest"] == answers[1]["docker-content-digest"]
    assert images_made() == 1

with subtest("Check that each serves through nginx what the other built"):
    made_by_one = headers("hello", "one:8080")
    assert made_by_one["nixery-cache"] == "none", made_by_one
    assert images_made() == 2
    for _ in range(4):  # nginx takes turns
        assert (
            headers("hello", "front")["docker-content-digest"]
            == (made_by_one["docker-content-digest"])
        )
    manifest = json.loads(ask("/v2/hello/manifests/latest"))
    for blob in [manifest["config"], *manifest["layers"]]:
        path = f"http://front/v2/hello/blobs/{blob['digest']}"
        got = front.succeed(f"curl --silent --fail --location {path} | sha256sum").split()[0]
        assert f"sha256:{got}" == blob["digest"]
    assert images_made() == 2

with subtest("Check that one goes on when the other has gone"):
    one.succeed("systemctl stop nixery.service")
    assert (
        headers("hello", "front")["docker-content-digest"] == made_by_one["docker-content-digest"]
    )
    assert headers("curl", "front")["nixery-cache"] == "none"
