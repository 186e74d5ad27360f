"""Sizes and ages as people write them."""

import pytest

from nixery.human_units import parse_age, parse_size, size_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1K", 1024),
        ("50G", 50 << 30),
        ("50g", 50 << 30),
        ("50 GiB", 50 << 30),
        ("50GB", 50 * 1000**3),
        ("1.5M", 3 << 19),
        ("2T", 2 << 40),
    ],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "50X", "-1", "50 G G", "50iB", "1e9", "\u0665", "inf"])
def test_invalid_sizes(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2592000), ("12h", 43200), ("90m", 5400), ("2w", 1209600)]
)
def test_ages(text, seconds):
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "30y", "d", "-1d", "30 d d"])
def test_invalid_ages(text):
    """Not even a number alone: days and seconds are too far apart to guess."""
    with pytest.raises(ValueError, match="is not an age"):
        parse_age(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1536, "1.5 KiB"),
        (50 << 30, "50.0 GiB"),
        (5000 << 50, "5000.0 PiB"),
    ],
)
def test_sizes_are_read_easily(size, text):
    assert size_text(size) == text
