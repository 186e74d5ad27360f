"""First build step: unpack the packages into the outputs."""

import os
import shutil
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from fromdeb.deb import clean, read_files
from fromdeb.layout import is_dropped, is_man, mapped
from fromdeb.spec import Output, Spec


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link of a Debian package; ``target`` may be relative to it."""

    path: str
    target: str
    output: Output

    @property
    def absolute(self) -> str:
        return os.path.normpath(Path("/", self.path).parent / self.target)


def unpack(spec: Spec) -> list[Link]:
    """Writes the regular files and returns the symbolic links, which ``make_links`` creates later.

    If two packages contain the same file, the first is used.
    """
    links = []
    for deb, output in spec.debs:
        for path, entry, archive in read_files(deb):
            if is_dropped(path):
                continue
            place = "man" if is_man(path) and "man" in spec.outputs else output
            target = spec.outputs[place] / mapped(path)
            if entry.issym():
                links.append(Link(path, entry.linkname, place))
            elif entry.islnk():
                original = spec.outputs[place] / mapped(clean(entry.linkname))
                if original.exists() and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.link(original, target)
            elif entry.isfile() and not target.exists():
                content = archive.extractfile(entry)
                assert content is not None, "a regular file has content"
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                target.chmod(0o755 if entry.mode & 0o111 else 0o644)
    first = "bin" if "bin" in spec.outputs else "out"
    for at, to in spec.links:
        path = clean(at)
        if not is_dropped(path):
            place = "man" if is_man(path) and "man" in spec.outputs else first
            links.append(Link(path, to, place))
    return links


def make_links(spec: Spec, links: list[Link]) -> list[Link]:
    """Creates the links whose target exists here or in a dependency; returns the others.

    A link may point to another link, so this repeats until a round creates none.
    """
    rest = links
    while True:
        left = [link for link in rest if not _make_link(spec, link)]
        if len(left) == len(rest):
            return left
        rest = left


def _make_link(spec: Spec, link: Link) -> bool:
    place = spec.outputs[link.output]
    at = place / mapped(link.path)
    if os.path.lexists(at):
        return True
    if link.output == "man":
        found = _first([place], link.absolute)
    else:
        found = _first([place, *spec.places], link.absolute)
    if found is None:
        return False
    if found == at:
        return True  # a link of merged /usr, which would point to itself here
    at.parent.mkdir(parents=True, exist_ok=True)
    inside = found.is_relative_to(place)
    at.symlink_to(os.path.relpath(found, at.parent) if inside else found)
    return True


def _first(places: list[Path], debian_path: str) -> Path | None:
    for place in places:
        name = mapped(debian_path)
        if has_magic(name):
            found = sorted(place.glob(name))
            if found:
                return found[0]
        elif name and os.path.lexists(place / name):
            return place / name
    return None
