"""Builds store paths from Debian packages.

Runs inside the build sandbox with Debian's Python and patchelf, so it uses only the standard
library. The maker (``demo/debset``) reads packages with the same modules.
"""
