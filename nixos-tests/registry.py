"""A registry out of services.nixery, from its start to its end."""

import json

OCI = "application/vnd.oci.image.manifest.v1+json"
URL = "http://registry:8080"


def ask(path: str, options: str = "") -> str:
    """What the registry answers, whatever its status."""
    return client.succeed(f"curl --silent --max-time 280 -H 'Accept: {OCI}' {options} {URL}{path}")


def digest(image: str) -> str:
    headers = ask(f"/v2/{image}/manifests/latest", "--fail --head")
    return next(
        line.split()[1]
        for line in headers.splitlines()
        if line.lower().startswith("docker-content-digest:")
    )


def run(image: str, command: str) -> str:
    """Pulled and run by podman, as people do."""
    options = "--tls-verify=false --pull=always --network=none"
    return client.succeed(f"podman run --rm {options} registry:8080/{image} {command}")


start_all()
registry.wait_for_unit("nixery.service")
registry.wait_for_open_port(8080, "registry")

with subtest("Check that it tells how it is"):
    assert json.loads(ask("/readyz", "--fail"))["nix"] == "ok"
    assert registry.get_unit_property("nixery.service", "StatusText") == "serving"
    assert registry.get_unit_property("nixery.service", "WatchdogTimestampMonotonic") != "0"

with subtest("Check that an image can be pulled and run"):
    assert "hello 2.12.1" in run("hello", "hello")

with subtest("Check that a compound name brings a shell and every package"):
    assert "git 2.47.0" in run("shell/git/htop", "bash -c 'git; htop'")
    assert digest("shell/git/htop") == digest("shell/htop/git")

with subtest("Check that a restart changes no digest"):
    before = digest("hello")
    registry.succeed("systemctl restart nixery.service")
    registry.wait_for_open_port(8080, "registry")
    assert digest("hello") == before

with subtest("Check that an unknown package is told as the registry's JSON"):
    answer = json.loads(ask("/v2/gti/manifests/latest"))
    assert answer["errors"][0]["code"] == "MANIFEST_UNKNOWN", answer
    assert "did you mean 'git'" in answer["errors"][0]["message"], answer

with subtest("Check that a builder ends with its time"):
    answer = json.loads(ask("/v2/slow/manifests/latest"))
    assert "5 seconds" in answer["errors"][0]["message"], answer
    registry.wait_until_fails("pgrep --full 'busybox sleep 300'")

with subtest("Check that images outlive Nix's garbage collection"):
    before = digest("shell/git/htop")
    registry.succeed("nix-store --gc")
    assert digest("shell/git/htop") == before
    assert "git 2.47.0" in run("shell/git/htop", "git")
    # And what was collected is built again for another image.
    assert "curl 8.11.0" in run("curl", "curl")

with subtest("Check that an image for arm64 says so"):
    manifest = json.loads(ask("/v2/arm64/hello/manifests/latest"))
    config = json.loads(ask(f"/v2/arm64/hello/blobs/{manifest['config']['digest']}"))
    assert config["architecture"] == "arm64", config

with subtest("Check that the service can do little"):
    registry.succeed("systemd-analyze security nixery.service --threshold=15 --no-pager")

with subtest("Check that the service ends at once, and cleanly, when nothing is under way"):
    registry.succeed("systemctl stop nixery.service")
    assert registry.get_unit_property("nixery.service", "Result") == "success"
