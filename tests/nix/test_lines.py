from hypothesis import given
from hypothesis import strategies as st

from nixery.nix.lines import MAX_LINE, LineSplitter


def split(*chunks):
    splitter = LineSplitter()
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*lines, *splitter.end()]


@given(st.lists(st.binary(max_size=20)))
def test_chunks_do_not_matter(chunks):
    """The lines are those of the whole text, wherever it was cut into chunks."""
    assert split(*chunks) == split(b"".join(chunks))


def test_last_line_without_end():
    assert split(b"one\ntwo") == ["one", "two"]
    assert split(b"one\n") == ["one"]


def test_long_line_is_cut():
    """10 MB without a line end do not fill memory, and the next line is read."""
    splitter = LineSplitter()
    for _ in range(160):
        assert list(splitter.feed(b"x" * 65536)) == []
        assert len(splitter._pending) <= MAX_LINE
    assert list(splitter.feed(b"\nnext\n")) == ["x" * MAX_LINE, "next"]


def test_invalid_utf8():
    assert split(b"caf\xe9\n") == ["caf\ufffd"]
