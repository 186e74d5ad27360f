"""Names in tables."""

import pytest

from nixery.closure import name_of
from nixery.layers.names import name, names

HASH = "0rq3w5nlbbj1s2p6pccwzmrc9pxbwqaw"


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        ("openssl-3.0.11", "openssl"),
        ("openssl-3.0.11-bin", "openssl-bin"),
        ("glibc-2.38-44", "glibc"),
        ("glibc-locales", "glibc-locales"),
        ("bash-interactive-5.2-p15", "bash-interactive"),
        ("python3.11-requests-2.31.0", "python3.11-requests"),
        ("gtk4-4.14.5-dev", "gtk4-dev"),
        ("python3-3.11.6-env", "python3-env"),
        ("nss-cacert-3.92-unbundled", "nss-cacert-unbundled"),
        ("util-linux-minimal-2.39.2-lib", "util-linux-minimal-lib"),
        ("foo-0-unstable-2023-11-01", "foo"),
        ("gcc-12.3.0-lib", "gcc-lib"),
        ("source", "source"),
        ("", ""),
    ],
)
def test_a_name_has_no_version_but_its_output(full, expected):
    assert name_of(f"/nix/store/{HASH}-{full}") == full
    assert name(f"/nix/store/{HASH}-{full}") == expected


@pytest.mark.parametrize(
    ("full", "bare", "loose"),
    [
        ("python3.11-requests-2.31.0", "python3.11-requests", "python3-requests"),
        ("python2.7-requests-2.27.1", "python2.7-requests", "python2-requests"),
        ("perl5.38.2-XML-Parser-2.46", "perl5.38.2-XML-Parser", "perl5-XML-Parser"),
        ("ruby3.3-rake-13.2.1-dev", "ruby3.3-rake-dev", "ruby3-rake-dev"),
        ("python3-3.11.6", "python3", "python3"),
        ("lua5.2-5.2.4", "lua5.2", "lua5.2"),
        ("gir1.2-gtk", "gir1.2-gtk", "gir1.2-gtk"),
        ("openssl-3.0.11-bin", "openssl-bin", "openssl-bin"),
    ],
)
def test_the_loosest_name_outlives_an_interpreter(full, bare, loose):
    assert names(f"/nix/store/{HASH}-{full}") == (full, bare, loose)
