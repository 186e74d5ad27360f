"""Which variables of the service Nix is shown."""

import pytest

from nixery.nix.environment import for_nix


@pytest.mark.parametrize(
    "name",
    [
        "S3_ACCESS_KEY",
        "S3_SECRET_KEY",
        "NIXERY_PKGS_REPO",
        "NIXERY_CHANNEL_URL",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "CREDENTIALS_DIRECTORY",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "GITHUB_TOKEN",
        "PGPASSWORD",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_VALUE_0",
    ],
)
def test_secrets_are_not_shown(name):
    assert for_nix({name: "x"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "NIX_REMOTE",
        "NIX_CONF_DIR",
        "NIX_CONFIG",
        "NIX_SSL_CERT_FILE",
        "NIXERY_EXPRESSIONS",
        "https_proxy",
        "SSH_AUTH_SOCK",
        "GIT_SSH_COMMAND",
    ],
)
def test_what_nix_needs_is_shown(name):
    assert for_nix({name: "x"}) == {name: "x"}
