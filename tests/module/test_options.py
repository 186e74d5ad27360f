"""Options of services.nixery and settings of the server: the two lists are one."""

import json
import re

import pytest
from support.module.services import configured, environment, nixery
from support.nixos_module import ROOT, nix_text, nix_value

from nixery import settings

pytestmark = pytest.mark.nix


def test_every_setting_of_the_server_has_an_option():
    """One list, of the server's settings, decides: each is refused by hand, with its option."""
    names = {*settings.names(), *settings.ACCEPTED_FROM_GO_SERVER} - {"WEB_DIR"}
    by_hand = nix_text(dict.fromkeys(names, "x"))
    refused = nixery(f"environment = {by_hand};")["failed"]
    told = dict(re.findall(r"environment sets (\w+); (.+)", "\n".join(refused)))
    assert set(told) == names
    own = {name for name, message in told.items() if message == "the module sets it itself"}
    assert own == {"NIX_REMOTE", "NIXERY_STATE_DIR", "NIXERY_ROOTS_DIR"}


def test_the_module_knows_no_setting_that_the_server_does_not():
    found = nixery(
        """
        popularityUrl = "https://example.org/p"; nginx.virtualHost = "example.org";
        environmentFile = "/run/e"; maxBuilds = 1; packWorkers = 1;
        """
    )
    foreign = set(environment(found)) - set(settings.names()) - settings.ACCEPTED_FROM_GO_SERVER
    assert foreign == {"HOME", "GIT_SSH_COMMAND"}


def test_defaults_are_those_of_the_server():
    """Except the address: the service listens on this machine only, unless it is configured."""
    given = environment(configured())
    bare = {
        "NIXERY_PKGS_PATH": "/srv/packages",
        "NIXERY_STORAGE_BACKEND": "filesystem",
        "STORAGE_PATH": "/var/lib/nixery",
        "NIXERY_STATE_DIR": "/var/cache/nixery/state",
        "NIXERY_LISTEN": "127.0.0.1",
        "NIX_REMOTE": "daemon",
    }
    assert settings.load(given) == settings.load(bare)


def test_every_option_reaches_the_server():
    given = environment(
        nixery(
            """
            listenAddress = "::1"; port = 81; timeout = 7; requestTimeout = 99;
            source = {
              channelUrl = "https://example.org/n%20x"; allowedRefs = [ "a" "b" ]; tags = [ "*" ];
              resolveTtl = 0; trees = 5;
            };
            evaluation = {
              allowedPaths = [ "/a" "/b" ]; allowedUris = [ "https://c/" ];
              overlays = [ "/o" ]; nixPath.nixpkgs = "/n";
              allowImportFromDerivation = true;
              config = { allowUnfree = true; nested.list = [ 1 "zwei" ]; };
            };
            storage = { path = "/srv/images"; maxBytes = "50G"; };
            maxBuilds = 3; packWorkers = 4; layering.strategy = "size"; layering.budget = 40;
            compression.kind = "zstd"; compression.level = 6;
            errorStatus = "strict"; logLevel = "debug"; nginx.virtualHost = "example.org";
            """
        )
    )
    read = settings.load(given).model_dump()
    expected = {
        "listen": "::1",
        "port": 81,
        "nix_timeout": 7,
        "request_timeout": 99,
        "channel_url": "https://example.org/n%20x",
        "git_allowed_refs": ("a", "b"),
        "tags": ("*",),
        "resolve_ttl": 0,
        "source_trees": 5,
        "allow_ifd": True,
        "nixpkgs_config": {"allowUnfree": True, "nested": {"list": [1, "zwei"]}},
        "storage_max_bytes": 50 * 1024**3,
        "max_builds": 3,
        "pack_workers": 4,
        "layering": "size",
        "layer_budget": 40,
        "compression": "zstd",
        "compression_level": 6,
        "error_status": "strict",
        "log_level": "debug",
        "accel_prefix": "/internal/",
    }
    assert {name: read[name] for name in expected} == expected
    assert [str(path) for path in read["allowed_paths"]] == ["/a", "/b"]
    assert [str(path) for path in read["overlays"]] == ["/o"]
    assert [(name, str(path)) for name, path in read["nix_path"]] == [("nixpkgs", "/n")]
    assert str(read["storage_path"]) == "/srv/images"


@pytest.mark.parametrize(
    ("backend", "text", "expected"),
    [
        (
            "gcs",
            'bucket = "b"; credentialsFile = "/run/key"; public = true; emulator = "http://e";',
            {
                "GCS_BUCKET": "b",
                "GOOGLE_APPLICATION_CREDENTIALS": "/run/credentials/gcs-credentials",
                "NIXERY_GCS_PUBLIC": "1",
                "STORAGE_EMULATOR_HOST": "http://e",
            },
        ),
        (
            "s3",
            (
                'bucket = "b"; endpoint = "https://e"; region = "r"; accessKey = "k"; '
                'pathStyle = true; linkExpiration = 0; secretKeyFile = "/run/s3.env";'
            ),
            {
                "S3_BUCKET": "b",
                "S3_ENDPOINT": "https://e",
                "AWS_REGION": "r",
                "S3_ACCESS_KEY": "k",
                "S3_PATH_STYLE": "1",
                "S3_LINK_EXPIRATION": "0",
            },
        ),
    ],
    ids=["gcs", "s3"],
)
def test_buckets(backend, text, expected):
    found = nixery(f'storage.backend = "{backend}"; storage.{backend} = {{ {text} }};')
    assert found["failed"] == []
    given = environment(found)
    assert {name: given.get(name) for name in expected} == expected
    assert "STORAGE_PATH" not in given


def test_a_variable_is_one_line_of_the_unit():
    """Values with quotes, percent signs and line ends are passed unchanged."""
    given = "a \"b\" 'c' \\ %d $HOME\nd"
    unit = nixery(f"environment.X = {nix_text(given)};")["units"]["nixery.service"]
    line = next(line for line in unit.splitlines() if line.startswith('Environment="X='))
    assert json.loads(line.removeprefix("Environment=")) == "X=" + given.replace("%", "%%")


def test_the_reference_is_current():
    page = nix_value(ROOT / "tests/module/reference.nix")
    assert (ROOT / "docs/nixos-options.md").read_text() == page, "run scripts/options"


def test_every_option_is_explained():
    """Type and default are the evaluator's business; the rest is easily left out."""
    page = nix_value(ROOT / "tests/module/reference.nix")
    entries = page.split("\n### ")[1:]
    assert len(entries) > 40
    for entry in entries:
        for part in ("- type: ", "- default: `", "- example: `"):
            assert part in entry
