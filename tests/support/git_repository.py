"""Real git repositories for tests, with fixed names and dates."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A Name",
    "GIT_AUTHOR_EMAIL": "name@packages.test",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "A Name",
    "GIT_COMMITTER_EMAIL": "name@packages.test",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


class Repository:
    """A repository as on a forge, with a work tree for commits."""

    def __init__(self, path: Path, *, branch: str = "main", objects: str = "sha1") -> None:
        """``objects``: the object format, ``sha1`` or ``sha256``."""
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", f"--initial-branch={branch}", f"--object-format={objects}")

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            check=True,
            capture_output=True,
            env=ENVIRON,
            input=stdin,
        )
        return done.stdout.decode().strip()

    def commit(self, text: str = "{ }", **files: str) -> str:
        """Commits ``default.nix`` and further files to the current branch."""
        (self.path / "default.nix").write_text(text)
        for name, content in files.items():
            (self.path / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={text}")
        return self.git("rev-parse", "HEAD")

    def commit_elsewhere(self, ref: str, text: str) -> str:
        """A commit on top of HEAD that only ``ref`` contains, like that of a pull request."""
        branch = self.git("symbolic-ref", "--short", "HEAD")
        self.git("checkout", "--quiet", "--detach")
        commit = self.commit(text)
        self.git("update-ref", ref, commit)
        self.git("checkout", "--quiet", branch)
        return commit

    def commit_files(self, files: Mapping[str, tuple[int, bytes]]) -> str:
        """A commit on the branch ``main`` with exactly these files: mode and content of each."""
        lines = []
        for name, (mode, content) in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=content)
            lines.append(f"{mode:o} {blob}\t{name}\0")
        self.git("read-tree", "--empty")
        self.git("update-index", "-z", "--index-info", stdin="".join(lines).encode())
        commit = self.git("commit-tree", "-m", "x", self.git("write-tree"))
        self.git("update-ref", "refs/heads/main", commit)
        return commit
