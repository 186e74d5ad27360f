import pytest

from nixery.http.redaction import redact, redact_source

HASH = "kvprb6ragzg16hz9gxnzy7gpb028ii4s"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("opening file '/srv/set/x.nix': No such file", "opening file '…/x.nix': No such file"),
        ('reading "/srv/my set/x.nix"', 'reading "…/x.nix"'),
        ("in \u2018/srv/set/default.nix\u2019:1", "in \u2018…/default.nix\u2019:1"),
        ("error: at /srv/set/default.nix:3:5:", "error: at …/default.nix:3:5:"),
        ("/srv/set cannot be read (gone)", "…/set cannot be read (gone)"),
        ("NIX_CONF_DIR=/etc/nix, (/root)", "NIX_CONF_DIR=…/nix, (…/root)"),
        ("PATH=/srv/a:/home/b", "PATH=…/a:…/b"),
        (
            f"/nix/store/{HASH}-git:/home/b,/dev/null;/x/y",
            f"/nix/store/{HASH}-git:…/b,/dev/null;…/y",
        ),
        ("the package source file:///srv/set.git does", "the package source …/set.git does"),
        ("git+file:///srv/set?ref=x and path:/srv/y", "…/set?ref=x and path:…/y"),
        (f"/srv/store/nix/store/{HASH}-git/bin/x", f"/nix/store/{HASH}-git/bin/x"),
        (f"'/srv/store/nix/store/{HASH}-git'", f"'/nix/store/{HASH}-git'"),
    ],
)
def test_paths_of_the_server(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"builder for '/nix/store/{HASH}-x.drv' failed",
        "unable to download 'https://example.org/a/b': 404",
        "ssh://git.example.org:22/team/set.git does not answer",
        "'shell/git/htop' and 1/2 of application/json, a / b // c",
        "/build/source/main.c:3: error",
        "cc >/dev/null, '/bin/sh': /usr/bin/env: not found",
        "see docs/security.md or ./x/y and ../z",
        "",
    ],
)
def test_unchanged_texts(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("/srv/my set", "path"),
        ("file:///srv/set.git", "path"),
        ("nixos-unstable of file:///srv/set.git", "nixos-unstable of path"),
        ("main of https://example.org/set.git", "main of https://example.org/set.git"),
    ],
)
def test_sources(address, shown):
    assert redact_source(address) == shown
