"""Last build step: configure the package as Debian would, and wrap programs with moved files."""

import os
import re
from glob import glob, has_magic
from pathlib import Path

from fromdeb.patch import inherited, perl_modules, perl_paths
from fromdeb.spec import Spec

_PYTHON_MODULES = "lib/python3/dist-packages"

_SITE = '''\
"""Adds the Python packages that are in the image beside the interpreter."""

import site
import sys

for place in ("/{modules}",):
    if place not in sys.path:
        site.addsitedir(place)
'''


def finish(spec: Spec) -> None:
    if spec.node in ("bash", "dash"):
        _link_once(spec.main / "bin/sh", spec.node)
    if spec.node == "ca-certificates":
        _certificates(spec.main)
    if spec.node == "python3":
        _site(spec.main)
    _modules(spec)
    if spec.wrap.programs_from:
        for program in sorted(spec.main.glob(f"{spec.wrap.programs_from}/*")):
            _link_once(spec.main / "bin" / program.name, str(program))
    for name in spec.wrap.programs:
        _wrap(spec, name)
    _write_depends(spec)


def _link_once(path: Path, target: str) -> None:
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def _certificates(out: Path) -> None:
    """Writes one file with all certificates, the only one, as in nixpkgs."""
    place = out / "etc/ssl/certs"
    place.mkdir(parents=True, exist_ok=True)
    sources = sorted((out / "share/ca-certificates/mozilla").iterdir())
    (place / "ca-bundle.crt").write_bytes(b"".join(path.read_bytes() for path in sources))


def _site(out: Path) -> None:
    for library in sorted(out.glob("lib/python3.*")):
        if (library / "os.py").exists():
            path = library / "sitecustomize.py"
            path.unlink(missing_ok=True)
            path.write_text(_SITE.format(modules=_PYTHON_MODULES))


def _modules(spec: Spec) -> None:
    """Records where the Perl and Python modules of this package and its dependencies are."""
    support = spec.main / "nix-support"
    support.mkdir(exist_ok=True)
    perl = [path for path in perl_paths(spec) if perl_modules(path)]
    if perl and spec.node != "perl":
        (support / "perl-path").write_text("".join(f"{path}\n" for path in perl))
    own = spec.main / _PYTHON_MODULES
    below = inherited(spec, "python-path")
    if own.is_dir() and spec.node != "python3":
        (support / "python-path").write_text("".join(f"{path}\n" for path in [own, *below]))
        if below:
            # read by site.addsitedir, see above
            lines = "".join(f"{path}\n" for path in below)
            (own / f"{spec.node}-needs.pth").write_text(lines)


def _wrap(spec: Spec, name: str) -> None:
    """Replaces a program by a shell script that starts it.

    The program keeps its file name, because some programs behave according to it.
    """
    for output, root in spec.outputs.items():
        program = root / "bin" / name
        if output == "man" or not os.path.lexists(program):
            continue
        hidden = root / "libexec/wrapped" / name
        hidden.parent.mkdir(parents=True, exist_ok=True)
        if program.is_symlink():
            target = os.path.normpath(program.parent / program.readlink())
            beside = Path(target).name
            inside = Path(target).parent == program.parent and beside in spec.wrap.programs
            hidden.symlink_to(beside if inside else target)
            program.unlink()
        else:
            program.rename(hidden)
        dash = spec.deps["dash.out"]
        lines = [f"#!{dash}/bin/dash"]
        for variable, value in sorted(spec.wrap.default.items()):
            lines.append(f"export {variable}=${{{variable}-{_expand(spec, value)}}}")
        for variable, value in sorted(spec.wrap.prefix.items()):
            lines.append(f"export {variable}={_expand(spec, value)}${{{variable}:+:${variable}}}")
        lines.append(f'exec {hidden} "$@"\n')
        program.write_text("\n".join(lines))
        program.chmod(0o755)


def _expand(spec: Spec, value: str) -> str:
    """Fills in store paths, and expands the globs between colons.

    ``@out@/share/perl/5.*:@vim-runtime@/share`` refers to this package and a dependency.
    Raises FileNotFoundError and KeyError.
    """
    parts = []
    for part in value.split(":"):
        filled = re.sub(r"@([^@]+)@", lambda match: _place(spec, match[1]), part)
        # Not Path.glob: the pattern is absolute.
        matches = sorted(glob(filled)) if has_magic(filled) else [filled]  # noqa: PTH207
        if not matches:
            raise FileNotFoundError(f"{spec.node}: no file matches {part}")
        parts += matches
    return ":".join(parts)


def _place(spec: Spec, name: str) -> str:
    path = spec.outputs.get(name) or spec.dep(name)
    if path is None:
        raise KeyError(f"{spec.node} does not depend on {name}")
    return str(path)


def _write_depends(spec: Spec) -> None:
    """Writes the dependencies of Debian's package to a file, so that Nix sees the references."""
    for output, names in spec.depends.items():
        support = spec.outputs[output] / "nix-support"
        support.mkdir(exist_ok=True)
        (support / "depends").write_text("".join(f"{spec.deps[name]}\n" for name in sorted(names)))
