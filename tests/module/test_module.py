"""services.nixery, evaluated: refused settings, and the result of a good configuration."""

import re
import tempfile
from pathlib import Path

import pytest
from support.module.services import configured, environment, nixery
from support.nixos_module import ROOT, EvaluationFails, evaluate

pytestmark = pytest.mark.nix


def test_a_good_configuration():
    """The three lines of the documentation."""
    found = evaluate(
        """{
          services.nixery.enable = true;
          services.nixery.source.channel = "nixos-unstable";
          services.nixery.timeout = 60;
        }"""
    )
    assert found["failed"] == []
    assert found["warnings"] == []
    assert found["nix"] == {"extra-allowed-users": ["nixery"]}
    assert found["ports"] == []
    assert "ExecStart=/usr/bin/nixery serve\n" in found["units"]["nixery.service"]
    assert list(found["units"]) == ["nixery.service"]


def test_nothing_is_done_unless_it_is_enabled():
    found = evaluate("{ }")
    assert found["units"] == {}
    assert found["users"] == {}
    assert found["nix"] == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source.path = null;", "set now: none"),
        ('source.channel = "a";', "source.path; set now: channel and path"),
        ('source.channel = "a"; source.repo = "b";', "set now: channel and path and repo"),
        ('storage.backend = "gcs";', "services.nixery.storage.gcs.bucket must be set"),
        ('storage.backend = "s3";', "services.nixery.storage.s3.bucket must be set"),
        ('storage.s3.secretKeyFile = "/run/s";', "needs services.nixery.storage.s3.accessKey"),
        *(
            (f'{option} = "${{builtins.storeDir}}/abc-secret";', f"services.nixery.{option} is ")
            for option in (
                "source.sshKeyFile",
                "source.netrcFile",
                "storage.gcs.credentialsFile",
                "storage.s3.secretKeyFile",
                "environmentFile",
            )
        ),
        *(
            (setting, "the service cannot access /home, /root, /run/user, /tmp and /var/tmp")
            for setting in (
                'storage.path = "/home/images";',
                'storage.path = "/var/tmp/images";',
                'evaluation.allowedPaths = [ "/srv" "/tmp/overlays" ];',
                'source.path = null; source.repo = "/home/me/packages";',
                'source.path = null; source.repo = "file:///root/packages";',
            )
        ),
        ('storage.path = "/srv/all images";', "storage.path is '/srv/all images', but systemd"),
        ("compression.level = 13;", "is 13, but the highest of gzip is 12"),
        ("gc.enable = true;", "exactly one of services.nixery.gc.keepBytes and gc.olderThan"),
        (
            'environment.S3_SECRET_KEY = "x";',
            "set services.nixery.storage.s3.secretKeyFile instead",
        ),
    ],
)
def test_refused_configurations(text, message):
    """Each with a message that explains what to change."""
    base = text if "source.path" in text else f'source.path = "/srv/packages"; {text}'
    found = evaluate(f"{{ services.nixery = {{ enable = true; {base} }}; }}")
    assert any(message in failed for failed in found["failed"]), found["failed"]


def test_a_source_in_somebodys_home_is_refused():
    found = evaluate('{ services.nixery = { enable = true; source.path = "/root/p"; }; }')
    assert any("source.path is /root/p" in failed for failed in found["failed"])


def test_a_source_beside_the_configuration_may_lie_in_a_home():
    """A path literal is copied to the store, so the service never reads the original."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as hidden:
        (Path(hidden) / "default.nix").write_text("{ }\n")
        found = evaluate(f"{{ services.nixery = {{ enable = true; source.path = {hidden}; }}; }}")
    assert found["failed"] == []
    assert environment(found)["NIXERY_PKGS_PATH"].startswith("/nix/store/")


def test_a_machine_without_nix_is_refused():
    assert any("nix.enable" in failed for failed in configured("nix.enable = false;")["failed"])


def test_known_hosts_are_not_secret():
    found = nixery('source.knownHostsFile = "${builtins.storeDir}/abc-known-hosts";')
    assert found["failed"] == []
    assert "-o UserKnownHostsFile=%d/known-hosts" in found["units"]["nixery.service"]


def test_a_known_hosts_file_beside_the_configuration_comes_with_the_system():
    """Where only its path were named, it could be gone from the store, or from the machine."""
    unit = nixery(f"source.knownHostsFile = {ROOT}/LICENSE;")["units"]["nixery.service"]
    assert re.search(r"LoadCredential=known-hosts:/nix/store/\w{32}-LICENSE\n", unit)


@pytest.mark.parametrize("wrong", ["timeout = 0;", 'port = "80";', "compression.level = 20;"])
def test_types_are_checked(wrong):
    with pytest.raises(EvaluationFails, match="is not of type"):
        nixery(wrong)


def test_an_unknown_option_is_an_error():
    with pytest.raises(EvaluationFails, match=r"services\.nixery\.tiemout' does not exist"):
        nixery("tiemout = 1;")
