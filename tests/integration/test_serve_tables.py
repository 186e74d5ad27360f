"""Tables of a real server: where they come from, and their effect."""

import json
import socket
import subprocess
from contextlib import closing

import pytest
from support.served import serve

from nixery.layers.tables import Units, encode_units, version

pytestmark = pytest.mark.nix

UNITS = encode_units(Units((("curl", "openssl"),), {}))


@pytest.fixture
def start(nix_environment, tiny, tmp_path):
    """``start("name")``: a server with a separate state directory, and the shared storage."""

    def start(name="one", **settings):
        storage = {"STORAGE_PATH": str(tmp_path / "storage")}
        given = {"NIXERY_PKGS_PATH": str(tiny)} | storage | settings
        return serve(nix_environment, tmp_path / name, **given)

    return start


@pytest.fixture
def tables(nix_environment, tmp_path):
    """``tables("publish", …)``: the command's output."""

    def run(*arguments, **settings):
        (tmp_path / "storage").mkdir(exist_ok=True)
        given = {
            "NIXERY_STORAGE_BACKEND": "filesystem",
            "STORAGE_PATH": str(tmp_path / "storage"),
        }
        command = ["nixery", "tables", *arguments]
        environment = nix_environment | given | settings
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    return run


@pytest.fixture
def plans(tmp_path):
    """Of all images: names in each layer, with the versions of tables."""

    def read():
        for file in (tmp_path / "storage/plans").iterdir():
            plan = json.loads(file.read_text())
            yield [[path[44:] for path in layer] for layer in plan["layers"]], plan["tables"]

    return read


@pytest.fixture
def deaf():
    """The address of a server that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/popularity.json"


def test_an_address_that_is_dead_stops_nothing(start):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}/popularity.json"
    with start(NIX_POPULARITY_URL=address, NIXERY_LAYERING="dominator") as served:
        assert served.digest("hello")
        said = served.wait_for(event="popularity not used")
        assert "refused" in said["reason"]


def test_an_address_that_never_answers_holds_neither_pulls_nor_the_end(start, deaf):
    """Leaving the block waits for a clean end."""
    with start(NIX_POPULARITY_URL=deaf) as served:
        assert served.digest("hello")


def test_the_classic_strategy_with_a_popularity_file(start, plans, tmp_path):
    """Only curl brings openssl; popular paths have a separate layer nevertheless."""
    file = tmp_path / "popularity.json"
    for popularity, expected in [({}, False), ({"openssl": 5000}, True)]:
        file.write_text(json.dumps(popularity))
        settings = {"NIX_POPULARITY_URL": file.as_uri(), "NIXERY_LAYERING": "dominator"}
        with start(**settings) as served:
            published = served.wait_for(event="table published")
            served.manifest("curl")
        layers = [
            layers for layers, used in plans() if used == {"popularity": published["version"]}
        ]
        assert len(layers) == 1
        alone = any(
            [path.startswith("openssl-") for path in layer] == [True] for layer in layers[0]
        )
        assert alone is expected
        for plan in (tmp_path / "storage/plans").iterdir():
            plan.unlink()
        for entry in (tmp_path / "storage/manifests").iterdir():
            entry.unlink()
        for entry in (tmp_path / "one/state/manifests").iterdir():
            entry.unlink()


def test_published_units_plan_alike_on_a_second_replica_and_for_good(
    start, tables, plans, tmp_path
):
    (tmp_path / "units.json").write_bytes(UNITS)
    with start("one") as one:
        assert tables("publish", str(tmp_path / "units.json")) == f"units {version(UNITS)}\n"
        first = one.manifest("curl")
    ((layers, used),) = plans()
    assert used == {"units": version(UNITS)}
    assert any({path.split("-")[0] for path in layer} == {"curl", "openssl"} for layer in layers)
    for kind in ("layers", "builds", "manifests", "plans"):
        for file in (tmp_path / "storage" / kind).iterdir():
            file.unlink()
    with start("two") as served:
        again = served.manifest("curl")
    assert again.headers["Nixery-Cache"] == "none"
    assert again.content == first.content
    # Acknowledged manifests stay, also if they must be built again with other tables.
    (tmp_path / "units.json").write_bytes(encode_units(Units((), {})))
    tables("publish", str(tmp_path / "units.json"))
    for file in (tmp_path / "storage/layers").iterdir():
        file.unlink()
    with start("three") as served:
        assert served.manifest("curl").content == first.content


def test_a_server_is_learned_from(start, tables):
    with start() as served:
        for name in ("git", "curl", "git/curl"):
            served.manifest(name)
    assert "learned from 3 images" in tables("learn")
