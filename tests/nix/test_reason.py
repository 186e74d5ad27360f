"""One-line reasons: real texts of three versions of Nix, and of nixpkgs, with the wanted line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nixery.nix.reason import MAX_REASON, one_line
from nixery.nix.refusals import Refusal, is_gone, parse_refusal

SYSTEM = "x86_64-linux"
CASES = json.loads((Path(__file__).parent / "reasons.json").read_text())
TEXTS = ["\n".join(text) if isinstance(text := case["text"], list) else text for case in CASES]
OLD = "Package \u2018{}\u2019 in /nix/store/x/{}.nix:7 {}, refusing to evaluate.\n\n{}a) To …"
NEW = "Refusing to evaluate package '{}' in /nix/store/x/{}.nix:7 because it {}\n\n{}a) To …"


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["line"] for case in CASES])
def test_real_texts(number):
    assert one_line(TEXTS[number]) == CASES[number]["line"]


@given(st.text(alphabet="ab :;,('\"`\n-\u2018\u201c"))
def test_a_line_is_never_cut_in_the_middle(text):
    line = one_line(text)
    assert line
    assert line[-1] not in ":;,("
    assert "\n" not in line


def test_a_long_text_is_shortened():
    assert len(one_line("a word " * 100)) == MAX_REASON


@pytest.mark.parametrize("form", [OLD, NEW], ids=["until 2025", "now"])
@pytest.mark.parametrize(
    ("said", "more", "cause", "predicate"),
    [
        ("has an unfree license (\u2018unfree asl20\u2019)", "", "unfree",
         "has an unfree license (unfree asl20)"),
        ("is marked as broken", "", "broken", "is marked as broken"),
        ("is marked as insecure", "Known issues:\n - CVE-2020-1\n - CVE-2020-2\n\n", "insecure",
         "has known vulnerabilities: CVE-2020-1"),
        ('is not available on the requested hostPlatform:\n  hostPlatform.config = "x"', "",
         "unsupported", "is not available for x86_64-linux"),
        ("has a blocklisted license (\u2018gpl\u2019)", "", "refused",
         "has a blocklisted license (\u2018gpl\u2019)"),
        ("has problems:\n- broken: This package is broken.", "", "broken", "is marked as broken"),
        ("has problems:\n- broken: It crashes.", "", "broken", "is marked as broken: It crashes."),
        ("has the following problem: removal: It was replaced by y.", "", "refused",
         "has a problem (removal): It was replaced by y."),
    ],
)  # fmt: skip
def test_refusals(form, said, more, cause, predicate):
    text = form.format("x-1.0", "x", said, more)
    assert parse_refusal(text, SYSTEM) == Refusal(cause, "x-1.0", predicate)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("python2 has been removed; Python 2 is end-of-life. Use `python3` instead.", True),
        ("'nodejs_10' has been renamed to/replaced by 'nodejs'", True),
        ("mongodb was removed, use ferretdb", True),
        ("attribute 'drvPath' missing", False),
        ("the option `removed` is not set", False),
    ],
)
def test_removed_and_renamed(text, gone):
    assert is_gone(text) is gone
    assert parse_refusal(text, SYSTEM) is None
