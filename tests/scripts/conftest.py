"""Scripts in a separate project, with fake commands on PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


class Project:
    """A project with the scripts and their inputs, and `bin`, the first directory on PATH."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        shutil.copytree(SCRIPTS, root / "scripts")
        shutil.copytree(ROOT / "requirements", root / "requirements")
        shutil.copy(ROOT / "pyproject.toml", root)
        venv = root / ".venv/bin"
        venv.mkdir(parents=True)
        (venv / "python").symlink_to(sys.executable)

    def command(self, name: str, text: str) -> None:
        """Puts a fake command on PATH; it may write to $LOG."""
        self.write(self.bin / name, text)

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    @property
    def log(self) -> list[str]:
        file = self.root / "log"
        return file.read_text().splitlines() if file.exists() else []

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        path = f"{self.bin}:{Path(sys.executable).parent}:/usr/bin:/bin"
        return {**kept, "PATH": path, "LOG": str(self.root / "log"), **more}

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def bash(self, script: str, *wrapper: str, **environment: str):
        """Runs a script that may call functions of lib.sh."""
        return self.run(*wrapper, "bash", "-c", f"source scripts/lib.sh; {script}", **environment)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)
