"""Makes store paths out of Debian packages.

Runs inside the build sandbox with Debian's own Python and patchelf, so it may use nothing but
the standard library. The maker (``demo/debset``) reads packages with the same modules.
"""
