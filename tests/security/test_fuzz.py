"""Parsers of what others wrote: any input gives a value of the promised form or a refusal.

``scripts/fuzz`` tries more of it; see fuzzing.py.
"""

import json
import unicodedata
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from support.security.fuzzing import LARGE_INPUTS, sampled
from support.security.rotten_records import json_texts, mutants

from nixery import image_name
from nixery.errors import ConfigurationError, DigestInvalid, NameInvalid, NixeryError
from nixery.http import headers
from nixery.nix import lookup
from nixery.nix.events import MAX_TEXT, EventReader
from nixery.nix.lines import MAX_LINE, LineSplitter
from nixery.nix.store import parse_closure
from nixery.oci import Format, digest_of, hexdigits, parse_digest
from nixery.popcount import narinfo
from nixery.source.address import parse_address
from nixery.source.refs import COMMIT, parse_listing

pytestmark = LARGE_INPUTS
DIGEST = digest_of(b"")
A, B = "a" * 40, "b" * 64
CLOSURES = (
    b'[{"path":"/nix/store/a-x","narSize":1,"references":["/nix/store/b-y"],"valid":true}]',
    b'{"/nix/store/a-x":{"narSize":1,"references":["/nix/store/b-y"]},"/nix/store/b-y":null}',
    b'{"info":{"a-x":{"narSize":1,"references":["b-y"]}},"storeDir":"/nix/store","version":2}',
)
EVENTS = (
    b'{"action":"start","id":7,"level":3,"type":105,"text":"building","fields":["/nix/x.drv","",1,1]}',
    b'{"action":"result","id":7,"type":101,"fields":["a line of the log"]}',
    b'{"action":"msg","level":0,"msg":"error: a","raw_msg":"b"}',
    b'{"action":"stop","id":7}',
)
ANSWER = json.dumps(
    {
        "packages": [
            {
                "name": "git",
                "status": "ok",
                "drvPath": f"/nix/store/{'0' * 32}-git.drv",
                "outputs": [{"name": "out", "path": f"/nix/store/{'0' * 32}-git"}],
                "mainProgram": "git",
            },
            {"name": "xorg.xef", "status": "not_found", "level": "xorg", "joined": []},
            {"name": "lib", "status": "not_a_package", "type": "set"},
            {"name": "bad", "status": "failed"},
        ],
        "levels": {"xorg": ["recurseForDerivations", "xev"]},
    }
).encode()


def written_with(*tokens):
    """Text that often contains these, in any order, with arbitrary text between them."""
    return st.lists(st.sampled_from(tokens) | st.text(max_size=3), max_size=12).map("".join)


def json_like(*good):
    texts = json_texts().map(lambda text: text.encode(errors="surrogatepass"))
    return st.sampled_from(good).flatmap(mutants) | texts | st.binary()


def outcome(parse, given, refusal):
    """The result, or the error that refuses the input; all other exceptions fail the test."""
    try:
        return parse(given)
    except refusal as error:
        return error


@given(written_with("git", "shell", "arm64", "/", ".", "-", "__", "a" * 250, "_1", "\n", "%2f"))
@sampled(300)
def test_an_image_name(name):
    request = outcome(image_name.parse, name, NameInvalid)
    if isinstance(request, NameInvalid):
        assert request.message.isprintable()
        return
    assert list(request.packages) == sorted(set(request.packages))
    assert all(part and part.isascii() and "/" not in part for part in request.packages)


@given(written_with("latest", ".", "-", "_", "/", "a" * 120, "\n", "sha256:"))
@sampled(200)
def test_a_tag(text):
    tag = outcome(image_name.parse_tag, text, NameInvalid)
    if isinstance(tag, NameInvalid):
        assert tag.message.isprintable()
        return
    assert tag == text
    assert not tag.startswith(("-", "."))


@given(written_with("sha256:", "sha512:", "a" * 64, "A" * 32, "\n", "0"))
@sampled(200)
def test_a_digest(text):
    digest = outcome(parse_digest, text, DigestInvalid)
    if isinstance(digest, DigestInvalid):
        assert digest.message.isprintable()
    else:
        assert hexdigits(digest).isalnum()


TYPES = [form.value.manifest for form in Format]


@given(st.lists(written_with(*TYPES, ",", ";q=0", ";", "*/*", " ", "application/*"), max_size=4))
@sampled(200)
def test_accept_lines(lines):
    assert headers.negotiate(lines) in Format


SIZES = st.integers(0, 1 << 62)
NUMBERS = st.integers(0, 1 << 63).map(str) | st.sampled_from(
    ["", "-1", "0" * 9, "9" * 18, "9" * 5000]
)
RANGES = st.builds("bytes={}-{}".format, NUMBERS, NUMBERS)


@given(RANGES | written_with("bytes=", "-", "0", ",", " ", "\t"), SIZES)
@sampled(300)
def test_a_range(header, size):
    part = headers.parse_range(header, size)
    if isinstance(part, headers.Part):
        assert 0 <= part.start < part.stop <= size


@given(st.lists(written_with('"', "W/", DIGEST, "*", ",", " "), max_size=3))
@sampled(200)
def test_conditions(lines):
    assert headers.is_known(lines, DIGEST) in (True, False)
    assert not headers.applies_range("".join(lines), DIGEST) or DIGEST in "".join(lines)


@given(st.lists(st.sampled_from((A, B, "\t", "\n", "refs/heads/m", "^{}", "HEAD")) | st.text()))
@sampled(200)
def test_a_listing_of_git(parts):
    for name, ref in parse_listing("".join(parts).encode(errors="replace")).items():
        assert name == ref.name
        assert COMMIT.fullmatch(ref.object)
        assert COMMIT.fullmatch(ref.commit)


ADDRESSES = ("https://", "ssh://", "file://", "ext::", "/", "u:secret@", "h.test", ":80", "[", "-x")


@given(written_with(*ADDRESSES, "?", "%", "\0"))
@sampled(300)
def test_an_address_of_a_repository(text):
    address = outcome(parse_address, text, ConfigurationError)
    if isinstance(address, ConfigurationError):
        assert "secret" not in address.message
        return
    assert address.public.isascii()
    assert address.public.isprintable()
    assert "secret" not in urlsplit(address.public).netloc
    assert address.scheme in ("https", "ssh", "file")


NINES = "9" * 5000
NARINFO = ("StorePath: /nix/store/a-x", "NarSize: 7", "References: a-x b-y", f"NarSize: {NINES}")


@given(st.permutations(NARINFO).map("\n".join) | written_with(*NARINFO, "\n"))
@sampled(100)
def test_a_narinfo(text):
    info = outcome(narinfo.parse, text, ValueError)
    assert isinstance(info, ValueError) or info.path not in info.references


@given(json_like(*CLOSURES))
@sampled(300)
def test_a_closure(text):
    closure = outcome(parse_closure, text, NixeryError)
    if isinstance(closure, NixeryError):
        return
    assert list(closure.paths) == sorted(closure.paths, key=lambda info: info.path)
    assert closure.size >= 0


NAMES = ("git", "xorg.xef", "lib", "bad")


@given(json_like(ANSWER))
@sampled(300)
def test_an_answer_of_an_evaluation(text):
    found = outcome(lambda text: lookup.read(text, NAMES), text, NixeryError)
    if isinstance(found, NixeryError):
        return
    for entry in found:
        if isinstance(entry, lookup.RefusedName):
            assert isinstance(lookup.verdict(entry, "x86_64-linux", "error: no"), NixeryError)
        else:
            assert all(path.startswith("/nix/store/") for path in (entry.drv_path, *entry.paths))


@given(st.lists(json_like(*EVENTS).map(lambda event: b"@nix " + event) | st.binary(), max_size=8))
@sampled(300)
def test_a_log_of_nix(lines):
    splitter, reader = LineSplitter(), EventReader("realise")
    for line in (*splitter.feed(b"\n".join(lines)), *splitter.end()):
        assert len(line) <= MAX_LINE
        if (told := reader.read(line)) is not None:
            assert len(told.text) <= MAX_TEXT
            assert not any(unicodedata.category(c) == "Cc" for c in told.text if c != "\n")
