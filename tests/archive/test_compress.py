"""Compressed members, and the limits of levels."""

import gzip
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.archive.store_trees import decompress
from zstandard import ZSTD_VERSION, get_frame_parameters

from nixery.archive.compress import Gzip, Uncompressed, Zstd, compression_of
from nixery.oci import COMPRESSION_LEVELS


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


@pytest.mark.parametrize("level", [1, 4, 19])
def test_frames_contain_their_length_at_every_level(level):
    block = b"".join(b"%d " % number for number in range(5000))
    frame = bytes(Zstd(level).compress(memoryview(block)))
    said = get_frame_parameters(frame)
    assert (said.content_size, said.dict_id, said.has_checksum) == (len(block), 0, False)
    assert said.window_size <= Zstd().block
    assert decompress(frame, "zstd") == block
    assert len(frame) < len(block)


def test_frames_may_follow_each_other():
    frames = [bytes(Zstd().compress(memoryview(block))) for block in (b"one ", b"two")]
    assert decompress(b"".join(frames), "zstd") == b"one two"


def test_what_a_thread_compressed_before_does_not_reach_the_bytes():
    """Each keeps its compressor."""
    blocks = [random.Random(seed).randbytes(5000) + bytes(100_000) for seed in range(40)]
    alone = [bytes(Zstd().compress(memoryview(block))) for block in blocks]
    with ThreadPoolExecutor(3) as threads:
        together = threads.map(lambda block: bytes(Zstd().compress(block)), blocks[::-1])
        assert list(together)[::-1] == alone


def test_the_release_of_zstd_is_part_of_the_key():
    """Two releases give different bytes for the same tar."""
    assert Zstd(3).key == f"zstd-3-{'.'.join(map(str, ZSTD_VERSION))}"


def test_uncompressed_blocks_are_unchanged():
    assert bytes(Uncompressed().compress(memoryview(b"block"))) == b"block"


@pytest.mark.parametrize("kind", COMPRESSION_LEVELS)
def test_without_a_level_the_kind_decides(kind):
    made = compression_of(kind)
    assert made.kind == kind
    assert compression_of(kind, getattr(made, "level", None)) == made
