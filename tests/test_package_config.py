"""Container settings of packages: what is accepted, and how an image gets those of several."""

import json

import pytest

from nixery import image_name, manifest
from nixery.closure import Package
from nixery.package_config import (
    NO_CONFIG,
    InvalidSettingError,
    members,
    merge_configs,
    parse_package_config,
)

WHOLE = {
    "cmd": ["--help"],
    "entrypoint": ["/bin/server", "run"],
    "env": {"LANG": "C.UTF-8", "EMPTY": ""},
    "exposedPorts": [8080, "53/udp"],
    "labels": {"org.opencontainers.image.title": "a server"},
    "stopSignal": "SIGINT",
    "user": "65532:65532",
    "volumes": ["/data"],
    "workingDir": "/srv",
}


def test_every_field_reaches_the_config():
    assert members(parse_package_config(WHOLE)) == {
        "Cmd": ["--help"],
        "Entrypoint": ["/bin/server", "run"],
        "Env": ["EMPTY=", "LANG=C.UTF-8"],
        "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
        "Labels": {"org.opencontainers.image.title": "a server"},
        "StopSignal": "SIGINT",
        "User": "65532:65532",
        "Volumes": {"/data": {}},
        "WorkingDir": "/srv",
    }
    assert members(parse_package_config(None)) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "must be an attribute set"),
        ({"entryPoint": []}, "passthru.nixery.entryPoint is unknown; known are cmd, entrypoint"),
        ({"cmd": "bash"}, "passthru.nixery.cmd must be a list of words"),
        ({"cmd": []}, "cmd must be"),
        ({"cmd": ["a\0b"]}, "cmd must be"),
        ({"entrypoint": [1]}, "entrypoint must be"),
        ({"env": {"A B": "x"}}, "env must be a set of variables"),
        ({"env": {"A": 1}}, "env must be"),
        ({"env": ["A=b"]}, "env must be"),
        ({"labels": {"": "x"}}, "labels must be"),
        ({"exposedPorts": [0]}, "exposedPorts must be"),
        ({"exposedPorts": [65536]}, "exposedPorts must be"),
        ({"exposedPorts": [True]}, "exposedPorts must be"),
        ({"exposedPorts": ["80/http"]}, "exposedPorts must be"),
        ({"user": "a b"}, "user must be"),
        ({"workingDir": "srv"}, "workingDir must be an absolute path"),
        ({"volumes": ["/a", "b"]}, "volumes must be"),
        ({"stopSignal": "TERM"}, "stopSignal must be"),
        ({"cmd": ["x"] * 101}, "cmd must be"),
    ],
)
def test_a_wrong_value_names_the_field(value, message):
    with pytest.raises(InvalidSettingError) as caught:
        parse_package_config(value)
    assert message in str(caught.value)


def test_the_first_package_wins():
    """A setting, a variable or a label; volumes and ports are those of all."""
    first = parse_package_config({"cmd": ["a"], "env": {"A": "1"}, "volumes": ["/a"]})
    later = parse_package_config(WHOLE | {"env": {"A": "2", "B": "2"}})
    found = merge_configs([NO_CONFIG, first, later])
    assert found.cmd == ("a",)
    assert dict(found.env) == {"A": "1", "B": "2"}
    assert found.volumes == ("/a", "/data")
    assert found.user == "65532:65532"


def runtime_of(name, config, main_program=""):
    package = Package("server", "/nix/store/x.drv", (), main_program, parse_package_config(config))
    data = manifest.config((), image_name.parse(name), [package], ())
    return json.loads(data)["config"]


def test_the_defaults_of_images_stay_unless_a_package_sets_them():
    runtime = runtime_of("server", {"env": {"PATH": "/x", "A": "b"}}, "server")
    assert runtime["Env"] == ["PATH=/x", "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt", "A=b"]
    assert runtime["Cmd"] == ["server"]


@pytest.mark.parametrize("name", ["server", "shell/server"])
def test_an_entrypoint_gets_no_default_arguments(name):
    assert "Cmd" not in runtime_of(name, {"entrypoint": ["/bin/server"]}, "server")


def test_nonroot_is_the_users_choice():
    runtime = runtime_of("nonroot/server", WHOLE)
    assert runtime["User"] == "65532:65532"
    assert runtime["Volumes"].keys() == {"/data", "/tmp", "/home/nonroot"}
    assert runtime["WorkingDir"] == "/srv"
