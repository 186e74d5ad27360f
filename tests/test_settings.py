"""Settings: their sources and precedence, and the errors of invalid ones."""

import json

import pytest

from nixery.errors import ConfigurationError
from nixery.settings import SOURCES, load, names

MINIMAL = {
    "NIXERY_PKGS_PATH": "/pkgs",
    "NIXERY_STORAGE_BACKEND": "filesystem",
    "STORAGE_PATH": "/storage",
    "HOME": "/home/someone",
}


def test_the_least_that_a_server_needs():
    settings = load(MINIMAL)
    assert (settings.port, settings.nix_timeout, settings.request_timeout) == (8080, 60, 280)
    assert settings.git_allowed_refs == ("refs/heads/*", "refs/tags/*")
    assert settings.tags == ("latest",)
    assert (settings.layering, settings.layer_budget) == ("units", 94)


@pytest.mark.parametrize(
    ("kind", "level", "said"),
    [
        ("gzip", "0", "NIXERY_COMPRESSION_LEVEL=0 is out of range for gzip (1–12)"),
        ("gzip", "13", "NIXERY_COMPRESSION_LEVEL=13 is out of range for gzip (1–12)"),
        ("zstd", "20", "NIXERY_COMPRESSION_LEVEL=20 is out of range for zstd (1–19)"),
        ("none", "1", "NIXERY_COMPRESSION_LEVEL=1 has no meaning for none: remove it"),
    ],
)
def test_levels_are_those_of_the_kind(kind, level, said):
    with pytest.raises(ConfigurationError) as caught:
        load(MINIMAL | {"NIXERY_COMPRESSION": kind, "NIXERY_COMPRESSION_LEVEL": level})
    assert caught.value.message == said


def test_no_source_is_refused_with_one_line_that_names_the_three():
    with pytest.raises(ConfigurationError) as caught:
        load({name: value for name, value in MINIMAL.items() if name != "NIXERY_PKGS_PATH"})
    message = caught.value.message
    assert all(name in message for name in SOURCES)
    assert "\n" not in message


def test_two_sources_are_refused_by_their_names():
    with pytest.raises(
        ConfigurationError, match=r"currently set: NIXERY_CHANNEL and NIXERY_PKGS_PATH"
    ):
        load(MINIMAL | {"NIXERY_CHANNEL": "nixos-unstable"})


def test_an_empty_source_is_unset():
    """Service managers write empty values for unset options."""
    assert load(MINIMAL | {"NIXERY_CHANNEL": ""}).pkgs_path == "/pkgs"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("PORT", "http", "PORT", id="no number"),
        pytest.param("PORT", "70000", "PORT", id="no port"),
        pytest.param("NIX_TIMEOUT", "0", "NIX_TIMEOUT", id="no time"),
        pytest.param("NIXERY_REQUEST_TIMEOUT", "-1", "NIXERY_REQUEST_TIMEOUT", id="negative"),
        pytest.param("NIXERY_ACCEL_PREFIX", "internal/", "NIXERY_ACCEL_PREFIX", id="no location"),
        pytest.param("NIXERY_ACCEL_PREFIX", "/in?x/", "NIXERY_ACCEL_PREFIX", id="with a query"),
        pytest.param("NIXERY_CONFINE", "2", "NIXERY_CONFINE='2': expected 1 or 0", id="no switch"),
        pytest.param("NIXERY_EVALUATION_TIMEOUT", "60s", "expected a number", id="with a unit"),
        pytest.param("NIXERY_EVALUATION_TIMEOUT", "inf", "finite number", id="without end"),
        pytest.param("NIXERY_EVALUATION_MEMORY", "4", "less than 64M", id="too little memory"),
        pytest.param("NIXERY_EVALUATION_MEMORY", "9999999T", "less than", id="too much memory"),
        pytest.param("NIXERY_STORAGE_BACKEND", "tape", "NIXERY_STORAGE_BACKEND", id="backend"),
        pytest.param("NIXERY_STORAGE_BACKEND", "", "NIXERY_STORAGE_BACKEND", id="no backend"),
        pytest.param("STORAGE_PATH", "", "STORAGE_PATH", id="no storage path"),
        pytest.param("NIXERY_GIT_ALLOWED_REFS", "", "set but empty", id="refs empty"),
        pytest.param("NIXERY_NIXPKGS_CONFIG", "{", "NIXERY_NIXPKGS_CONFIG", id="no JSON"),
        pytest.param("NIXERY_NIXPKGS_CONFIG", "[]", "NIXERY_NIXPKGS_CONFIG", id="no object"),
        pytest.param(
            "NIXERY_NIXPKGS_CONFIG", '{"a": NaN}', "JSON compliant", id="no number in JSON"
        ),
        pytest.param("NIX_TIMEOUT", "2147483648", "NIX_TIMEOUT", id="more than Nix can count"),
        pytest.param("NIXERY_TAGS", "latest foo/bar", "'foo/bar' is not a tag", id="no tag"),
        pytest.param("NIXERY_ERROR_STATUS", "loud", "NIXERY_ERROR_STATUS", id="error status"),
        pytest.param("NIXERY_LOG_LEVEL", "loud", "NIXERY_LOG_LEVEL", id="log level"),
        pytest.param("NIXERY_LAYER_BUDGET", "0", "NIXERY_LAYER_BUDGET", id="no layers"),
        pytest.param("NIXERY_LAYERING", "none", "NIXERY_LAYERING", id="no such strategy"),
        pytest.param("NIXERY_COMPRESSION", "xz", "'gzip', 'zstd' or 'none'", id="compression"),
        pytest.param("NIXERY_COMPRESSION_LEVEL", "6.5", "NIXERY_COMPRESSION_LEVEL", id="half"),
    ],
)
def test_a_mistake_is_named_in_one_line(name, value, said):
    with pytest.raises(ConfigurationError) as caught:
        load(MINIMAL | {name: value})
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        pytest.param({"NIXERY_STORAGE_BACKEND": "gcs"}, "GCS_BUCKET is not set", id="gcs"),
        pytest.param({"NIXERY_STORAGE_BACKEND": "s3"}, "S3_BUCKET is not set", id="s3"),
        pytest.param(
            {"NIXERY_STORAGE_BACKEND": "s3", "S3_BUCKET": "images", "S3_ACCESS_KEY": "key"},
            "set both S3_ACCESS_KEY and S3_SECRET_KEY, or neither",
            id="half of the keys",
        ),
        pytest.param({"S3_LINK_EXPIRATION": "604801"}, "S3_LINK_EXPIRATION", id="over a week"),
    ],
)
def test_what_a_bucket_needs(environ, said):
    with pytest.raises(ConfigurationError, match=said):
        load(MINIMAL | environ)


def test_a_secret_is_not_shown():
    """Settings end up in logs and in tracebacks."""
    keys = {"S3_ACCESS_KEY": "public", "S3_SECRET_KEY": "hush"}
    settings = load(MINIMAL | {"NIXERY_STORAGE_BACKEND": "s3", "S3_BUCKET": "images"} | keys)
    assert settings.s3_secret_key.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_lists_take_commas_and_spaces():
    settings = load(MINIMAL | {"NIXERY_TAGS": "latest, stable nightly"})
    assert settings.tags == ("latest", "stable", "nightly")


def test_nixpkgs_variables_reach_the_package_set():
    settings = load(
        MINIMAL
        | {
            "NIXERY_NIXPKGS_CONFIG": json.dumps({"allowBroken": False, "cudaSupport": True}),
            "NIXPKGS_ALLOW_UNFREE": "1",
        }
    )
    assert settings.config_for_nixpkgs == {
        "allowBroken": False,
        "allowUnfree": True,
        "cudaSupport": True,
    }


def test_a_file_gives_what_the_environment_does_not(tmp_path):
    file = tmp_path / "nixery.toml"
    file.write_text('PORT = 9000\nNIX_TIMEOUT = 7\nNIXERY_TAGS = ["stable"]\n')
    settings = load(MINIMAL | {"PORT": "9001"}, file)
    assert (settings.port, settings.nix_timeout, settings.tags) == (9001, 7, ("stable",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("PORT = ", "cannot read", id="no TOML"),
        pytest.param("PROT = 1", "PROT", id="misspelt"),
    ],
)
def test_a_file_with_a_mistake(tmp_path, content, said):
    file = tmp_path / "nixery.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        load(MINIMAL, file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(MINIMAL, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/nixery"}, "/var/lib/nixery"),
        ({"XDG_STATE_HOME": "/state"}, "/state/nixery"),
        ({}, "/home/someone/.local/state/nixery"),
        ({"NIXERY_STATE_DIR": "/mine", "STATE_DIRECTORY": "/var/lib/nixery"}, "/mine"),
    ],
)
def test_state_is_in_the_service_managers_directory(environ, expected):
    assert str(load(MINIMAL | environ).state_dir) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"NIXERY_STATE_DIR": "/state"}, "/state/roots"),
        (
            {"NIXERY_STATE_DIR": "/state", "RUNTIME_DIRECTORY": "/run/nixery:/run/b"},
            "/run/nixery/roots",
        ),
        ({"NIXERY_ROOTS_DIR": "/mine", "RUNTIME_DIRECTORY": "/run/nixery"}, "/mine"),
    ],
)
def test_roots_go_with_the_unit_where_there_is_one(environ, expected):
    assert str(load(MINIMAL | environ).roots_dir) == expected


def test_every_setting_has_a_name():
    assert len(set(names())) == len(names())
    assert all(name.isupper() for name in names())


@pytest.mark.parametrize(
    ("given", "seconds"), [("0", 0), ("300", 300), ("5m", 300), ("1h1m1s", 3661), ("90s", 90)]
)
def test_durations_may_have_units(given, seconds):
    """As the Go server writes them."""
    assert load(MINIMAL | {"S3_LINK_EXPIRATION": given}).s3_link_expiration == seconds


@pytest.mark.parametrize("given", ["5x", "m", "-5m", "200h", "1.5h"])
def test_invalid_durations_are_refused(given):
    with pytest.raises(ConfigurationError, match="S3_LINK_EXPIRATION"):
        load(MINIMAL | {"S3_LINK_EXPIRATION": given})


@pytest.mark.parametrize(("given", "size"), [("", 0), ("0", 0), ("50G", 50 << 30), ("1000", 1000)])
def test_sizes_have_suffixes(given, size):
    assert load(MINIMAL | {"NIXERY_STORAGE_MAX_BYTES": given}).storage_max_bytes == size


@pytest.mark.parametrize("given", ["50X", "-1", "many"])
def test_invalid_sizes_are_refused(given):
    with pytest.raises(ConfigurationError, match=r"NIXERY_STORAGE_MAX_BYTES=.*is not a size"):
        load(MINIMAL | {"NIXERY_STORAGE_MAX_BYTES": given})


def test_maintenance_commands_need_no_source():
    environ = {name: value for name, value in MINIMAL.items() if name != "NIXERY_PKGS_PATH"}
    assert load(environ, needs_source=False).storage_backend == "filesystem"


def test_paths_start_where_the_server_was_started(tmp_path, monkeypatch):
    """The programs that it starts work elsewhere."""
    monkeypatch.chdir(tmp_path)
    named = ("STORAGE_PATH", "NIXERY_STATE_DIR", "NIXERY_ROOTS_DIR", "NIXERY_ALLOWED_PATHS")
    settings = load(MINIMAL | {name: name.lower() for name in named})
    found = (settings.storage_path, settings.state_dir, settings.roots_dir, *settings.allowed_paths)
    assert found == tuple(tmp_path / name.lower() for name in named)


@pytest.mark.parametrize("setting", ["NIXERY_STATE_DIR", "STATE_DIRECTORY"])
def test_storage_and_state_never_share_a_directory(setting):
    """Both have `manifests/`. A unit for the Go server may store in its StateDirectory."""
    settings = load(MINIMAL | {setting: "/storage"})
    assert (str(settings.storage_path), str(settings.state_dir)) == ("/storage", "/storage/state")
    assert str(settings.roots_dir) == "/storage/state/roots"


def test_empty_in_a_file_is_not_set_either(tmp_path):
    file = tmp_path / "nixery.toml"
    file.write_text("".join(f'{name} = ""\n' for name in names() if name not in MINIMAL))
    with pytest.raises(ConfigurationError, match="NIXERY_GIT_ALLOWED_REFS is set but empty"):
        load(MINIMAL, file)
    kept = [line for line in file.read_text().splitlines() if "ALLOWED_REFS" not in line]
    file.write_text("\n".join(kept))
    assert load(MINIMAL, file) == load(MINIMAL)
