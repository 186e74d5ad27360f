"""What a member of gzip looks like."""

import gzip
import random

import pytest

from nixery.archive.compress import Gzip


@pytest.mark.parametrize("level", range(1, 13))
def test_every_level_gives_gzip_without_time_name_and_system(level):
    block = b"".join(b"%d " % number for number in range(5000))
    member = bytes(Gzip(level).compress(memoryview(block)))
    assert member[:8] == b"\x1f\x8b\x08" + b"\0" + bytes(4)
    assert member[9] == 255  # RFC 1952: unknown system
    assert gzip.decompress(member) == block
    assert len(member) < len(block)


def test_what_cannot_be_compressed_is_kept():
    block = random.Random(1).randbytes(1 << 20)
    assert gzip.decompress(Gzip().compress(memoryview(block))) == block


def test_members_may_follow_each_other():
    members = [bytes(Gzip().compress(memoryview(block))) for block in (b"one ", b"two")]
    assert gzip.decompress(b"".join(members)) == b"one two"


def test_the_level_is_part_of_the_key():
    assert Gzip(4).key != Gzip(6).key
