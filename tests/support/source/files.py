"""What is in a directory, for comparison."""

import os


def entries(tree):
    """Every path below the tree as bytes, with what distinguishes it."""
    found = {}
    for path in tree.rglob("*"):
        mode = path.lstat().st_mode
        if path.is_symlink():
            entry = ("link", os.fsencode(path.readlink()))
        elif path.is_file():
            entry = ("executable" if mode & 0o100 else "file", path.read_bytes())
        else:
            entry = ("directory", b"")
        found[os.fsencode(path.relative_to(tree))] = entry
    return found
