"""Build of one package: unpack, link, patch, finish."""

import os

from fromdeb.finish import finish
from fromdeb.patch import patch_elf, patch_scripts, patch_strings
from fromdeb.spec import from_environment
from fromdeb.unpack import make_links, unpack


def main() -> None:
    os.umask(0o022)
    spec = from_environment()
    for path in spec.outputs.values():
        path.mkdir()
    links = unpack(spec)
    for link in make_links(spec, links):
        print(f"left out /{link.path}: its target {link.target} is in none of the dependencies")
    patch_strings(spec)
    programs = patch_elf(spec)
    scripts = patch_scripts(spec)
    finish(spec)
    print(f"{spec.node}: {programs} ELF files and {scripts} scripts patched")
