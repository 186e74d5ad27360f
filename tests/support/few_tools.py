"""A package set of six tools, for tests of planning and learning."""

TOOLS = {
    "git": (30, ["pcre2", "glibc"]),
    "curl": (2, ["openssl", "glibc"]),
    "python3": (80, ["openssl", "glibc"]),
    "pcre2": (1, ["glibc"]),
    "openssl": (5, ["glibc"]),
    "glibc": (40, []),
}
"""Size and references."""
