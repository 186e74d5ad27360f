"""An image in docker's archive format: the store paths in one layer, the root in another."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path


def link_tree(source: Path, target: Path) -> None:
    """As symlinkJoin does: real directories, links to everything else; the first one wins."""
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir() and (place.is_dir() or not path.is_symlink()):
            place.mkdir(exist_ok=True)
            link_tree(path, place)
        elif not place.exists():
            place.symlink_to(path)


def load_database(root: Path, closure: list, tool: str) -> None:
    text = ""
    for path in closure:
        lines = [path["path"], path["narHash"], str(path["narSize"]), ""]
        lines += [str(len(path["references"])), *path["references"]]
        text += "\n".join(lines) + "\n"
    environment = os.environ | {"NIX_REMOTE": f"local?root={root}", "USER": "nobody"}
    subprocess.run([tool, "--load-db"], input=text, text=True, env=environment, check=True)


def layer(places: list[tuple[Path, str]]) -> bytes:
    """A tar of these trees: the path of each, and its name in the image."""

    def owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 1
        return info

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path, name in places:
            archive.add(path, name, filter=owned_by_root)
    return file.getvalue()


def main() -> None:
    # Not by NIX_ATTRS_JSON_FILE: Nix 2.8 has the place outside of the sandbox there.
    told = json.loads(Path(".attrs.json").read_text())
    image, tools, closure = told["image"], told["tools"], told["closure"]
    root = Path.cwd() / "root"
    root.mkdir()
    for content in image["contents"]:
        link_tree(Path(content), root)
    subprocess.run(
        [tools["bash"], "-euc", image["extraCommands"]],
        cwd=root,
        env={"PATH": tools["path"]},
        check=True,
    )
    os.environ["HOME"] = str(Path.cwd())
    load_database(root, closure, tools["nixStore"])

    layers = [
        layer([(Path(path["path"]), path["path"].lstrip("/")) for path in closure]),
        layer([(path, path.name) for path in sorted(root.iterdir())]),
    ]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": image["config"],
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers],
            },
        }
    ).encode()
    manifest = [
        {
            "Config": "config.json",
            "RepoTags": [f"{image['name']}:{image['tag']}"],
            "Layers": [f"{n}/layer.tar" for n in range(len(layers))],
        }
    ]
    with (
        gzip.open(told["outputs"]["out"], "wb", compresslevel=1) as file,
        tarfile.open(fileobj=file, mode="w|") as archive,
    ):
        files = {"config.json": config, "manifest.json": json.dumps(manifest).encode()}
        files |= {f"{n}/layer.tar": data for n, data in enumerate(layers)}
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


main()
