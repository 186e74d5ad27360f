"""What of a text of Nix's fits the one line of a message."""

MAX_REASON = 300  # characters; terminals wrap, but a message should stay one


def first_line(text: str) -> str:
    """The first that is not blank, shortened; nothing where there is none."""
    return shorten(next((line for line in text.splitlines() if line.strip()), ""))


def shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
