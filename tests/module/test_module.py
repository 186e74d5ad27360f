"""services.nixery, evaluated: what it refuses, and what a good configuration comes to."""

import json
import re

import pytest
from nixos_module import ROOT, EvaluationFails, evaluate, nix_text, nix_value

from nixery import settings

pytestmark = pytest.mark.nix

MINIMAL = "services.nixery.enable = true; services.nixery.source.path = ''/srv/packages'';"


def configured(text="", base=MINIMAL):
    return evaluate(f"{{ {base} {text} }}")


def nixery(text):
    """Settings below services.nixery, with a source."""
    return configured(f"imports = [ {{ services.nixery = {{ {text} }}; }} ];")


def environment(found, unit="nixery"):
    """As the service sees it, but for what systemd itself fills in."""
    return {
        name: re.sub("%%", "%", value.replace("%C", "/var/cache").replace("%d", "/run/credentials"))
        for name, value in found["environment"][unit].items()
    }


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
        ("source.path = null;", "set: none"),
        ('source.channel = "a";', "source.path must be set; set: channel and path"),
        ('source.channel = "a"; source.repo = "b";', "set: channel and path and repo"),
        ('storage.backend = "gcs";', "services.nixery.storage.gcs.bucket must be set"),
        ('storage.backend = "s3";', "services.nixery.storage.s3.bucket must be set"),
        ('storage.s3.secretKeyFile = "/run/s";', "belongs to services.nixery.storage.s3.accessKey"),
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
        ('storage.path = "/home/images";', "the service sees nothing below /home"),
        ("compression.level = 13;", "is 13, but the highest of gzip is 12"),
        ("gc.enable = true;", "exactly one of services.nixery.gc.keepBytes and gc.olderThan"),
        (
            'environment.S3_SECRET_KEY = "x";',
            "set services.nixery.storage.s3.secretKeyFile instead",
        ),
    ],
)
def test_what_is_refused(text, message):
    """Each with a message that says what to change."""
    base = text if "source.path" in text else f'source.path = "/srv/packages"; {text}'
    found = evaluate(f"{{ services.nixery = {{ enable = true; {base} }}; }}")
    assert any(message in failed for failed in found["failed"]), found["failed"]


def test_a_source_in_somebodys_home_is_refused():
    found = evaluate('{ services.nixery = { enable = true; source.path = "/root/p"; }; }')
    assert any("source.path is /root/p" in failed for failed in found["failed"])


def test_a_machine_without_nix_is_refused():
    assert any("nix.enable" in failed for failed in configured("nix.enable = false;")["failed"])


def test_known_hosts_are_no_secret():
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
    """But for the address: a service of this machine is for this machine, until it is told else."""
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
              resolveTtl = 0;
            };
            evaluation = {
              allowedPaths = [ "/a" "/b" ]; allowedUris = [ "https://c/" ];
              allowImportFromDerivation = true;
              config = { allowUnfree = true; nested.list = [ 1 "zwei" ]; };
            };
            storage = { path = "/srv/images"; maxBytes = "50G"; };
            maxBuilds = 3; packWorkers = 4; layering.strategy = "size"; layering.budget = 40;
            compression.kind = "zstd"; compression.level = 6;
            errorStatus = "strict"; nginx.virtualHost = "example.org";
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
        "accel_prefix": "/internal/",
    }
    assert {name: read[name] for name in expected} == expected
    assert [str(path) for path in read["allowed_paths"]] == ["/a", "/b"]
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


def test_secrets_are_named_and_never_shown():
    unit = nixery(
        """
        source.sshKeyFile = "/run/ssh%key"; source.netrcFile = "/run/netrc";
        environmentFile = "/run/env";
        """
    )["units"]["nixery.service"]
    assert "LoadCredential=ssh-key:/run/ssh%%key\n" in unit
    assert "-i %d/ssh-key" in unit
    assert "LoadCredential=netrc:/run/netrc\n" in unit
    assert "EnvironmentFile=/run/env\n" in unit


def test_a_storage_elsewhere_is_made_and_writable():
    found = nixery('storage.path = "/srv/images";')
    rule = {"user": "nixery", "group": "nixery", "mode": "0700"}
    assert found["tmpfiles"] == {"nixery": {"/srv/images": {"d": rule}}}
    assert "ReadWritePaths=/srv/images\n" in found["units"]["nixery.service"]
    assert "RequiresMountsFor=/srv/images\n" in found["units"]["nixery.service"]


def test_timers():
    found = nixery(
        'gc = { enable = true; keepBytes = "50G"; dates = "hourly"; }; verify.enable = true;'
    )
    units = found["units"]
    assert "ExecStart=/usr/bin/nixery gc --keep-bytes 50G\n" in units["nixery-gc.service"]
    assert "OnCalendar=hourly\n" in units["nixery-gc.timer"]
    assert "ExecStart=/usr/bin/nixery verify\n" in units["nixery-verify.service"]
    assert "OnCalendar=monthly\n" in units["nixery-verify.timer"]


def test_timers_have_the_secrets_of_the_storage_only():
    units = nixery(
        """
        gc = { enable = true; olderThan = "30d"; };
        source.sshKeyFile = "/run/ssh"; source.netrcFile = "/run/netrc";
        storage = { backend = "gcs"; gcs.bucket = "b"; gcs.credentialsFile = "/run/gcs"; };
        """
    )["units"]
    keys = {
        unit: re.findall("LoadCredential=([a-z-]+):", units[f"{unit}.service"])
        for unit in ("nixery", "nixery-gc")
    }
    assert keys == {
        "nixery": ["gcs-credentials", "netrc", "ssh-key"],
        "nixery-gc": ["gcs-credentials"],
    }
    assert "ssh-key" not in units["nixery-gc.service"]


def test_nginx_waits_longer_than_an_image_may_take():
    found = nixery(
        'nginx.virtualHost = "example.org"; requestTimeout = 900; listenAddress = "::"; port = 81;'
    )
    front = found["nginx"]["virtualHosts"]["example.org"]["locations"]
    assert front["/"]["proxyPass"] == "http://127.0.0.1:81"
    assert "proxy_read_timeout 920s;" in front["/"]["extraConfig"]
    assert front["/internal/layers/"]["alias"] == "/var/lib/nixery/layers/"
    assert "internal;" in front["/internal/layers/"]["extraConfig"]
    assert found["supplementaryGroups"]["nginx"] == ["nixery"]
    assert list(found["units"]) == ["nixery.service"]


def test_nginx_says_host_once_and_as_nixos_accepts_it():
    """NixOS builds no nginx.conf in which gixy finds a fault, and $http_host is one."""
    front = nixery('nginx.virtualHost = "example.org";')["nginx"]["virtualHosts"]["example.org"]
    location = front["locations"]["/"]
    assert location["extraConfig"].count("proxy_set_header Host $host;") == 1
    assert location["recommendedProxySettings"] is False


def test_nginx_reads_no_files_where_there_are_none():
    found = nixery(
        'nginx.virtualHost = "example.org"; storage = { backend = "gcs"; gcs.bucket = "b"; };'
    )
    assert list(found["nginx"]["virtualHosts"]["example.org"]["locations"]) == ["/"]
    assert found["supplementaryGroups"]["nginx"] == []
    assert "NIXERY_ACCEL_PREFIX" not in environment(found)


def test_the_firewall_opens_on_demand():
    found = nixery('openFirewall = true; port = 5000; listenAddress = "0.0.0.0";')
    assert found["ports"] == [5000]
    assert found["warnings"] == []


def test_a_firewall_that_is_opened_for_nobody_is_told():
    (warning,) = nixery("openFirewall = true;")["warnings"]
    assert "listens on 127.0.0.1" in warning


def test_the_stop_outlasts_the_drain():
    """A server that is killed while transfers end would cut them."""
    unit = configured()["units"]["nixery.service"]
    assert int(re.search(r"TimeoutStopSec=(\d+)", unit)[1]) > 60 + 10


def test_a_variable_is_one_line_of_the_unit():
    """Values with quotes, percent signs and line ends stay what they are."""
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
