"""Which variables of the service Nix is shown."""

from pathlib import Path

import pytest

from nixery.nix.environment import confined, for_nix


@pytest.mark.parametrize(
    "name",
    [
        "S3_SECRET_KEY",
        "NIXERY_PKGS_REPO",
        "NIX_POPULARITY_URL",
        "STORAGE_PATH",
        "API_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "CREDENTIALS_DIRECTORY",
        "AWS_SESSION_TOKEN",
        "GIT_CONFIG_VALUE_0",
        "GIT_SSH_COMMAND",
        "SSH_AUTH_SOCK",
        "LD_PRELOAD",
        "NIX_PATH",
        "ANYTHING_ELSE",
    ],
)
def test_other_variables_are_removed(name):
    assert for_nix({name: "x"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LANG", "LC_ALL", "https_proxy", "NO_PROXY", "SSL_CERT_FILE"),
        *("NIX_REMOTE", "NIX_CONF_DIR", "NIX_CONFIG", "NIX_SSL_CERT_FILE", "NIX_STATE_DIR"),
    ],
)
def test_what_nix_needs_is_shown(name):
    assert for_nix({name: "x"}) == {name: "x"}


def test_credentials_in_nix_config():
    """Builders without a daemon may request the variable; put credentials into files."""
    text = "cores = 2\nextra-access-tokens = github.com=hunter2\n netrc-file=/x\nmax-jobs = 1"
    assert for_nix({"NIX_CONFIG": text}) == {"NIX_CONFIG": "cores = 2\nmax-jobs = 1"}


def test_git_of_a_confined_command():
    """Without the service's own configuration, and with the requested protocols only."""
    shown = confined({"HOME": "/root", "PATH": "/bin"}, Path("/own"), ["https"])
    assert shown["HOME"] == shown["TMPDIR"] == "/own"
    assert shown["GIT_ALLOW_PROTOCOL"] == "file:https"
    assert shown["GIT_CONFIG_NOSYSTEM"] == "1"
