"""Names whose evaluation would take the service from others."""

import pytest

pytestmark = pytest.mark.nix

BOMB = "builtins.foldl' (l: _: l ++ l) [ 1 ] (builtins.genList (n: n) 40)"
ENDLESS = "builtins.foldl' (a: _: builtins.foldl' (b: n: b + n) a ns) 0 ns"


def refused_twice(served, name):
    """The error, which is remembered: docker's HEAD and GET cost one evaluation."""
    first = served.get(f"/v2/{name}/manifests/latest")
    second = served.get(f"/v2/{name}/manifests/latest")
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert sum(event["event"] == "image failed" for event in served.events()) == 1
    assert served.manifest("hello"), "others are served all the same"
    return first


@pytest.mark.parametrize("bomb", [BOMB, f"toString ({BOMB})"], ids=["list", "text"])
def test_memory(package_set, serve_set, bomb):
    directory = package_set(f"{{ bomb = builtins.seq ({bomb}) tiny.hello; }}")
    with serve_set(directory, NIXERY_EVALUATION_MEMORY="1G") as served:
        answer = refused_twice(served, "bomb")
        assert answer.status_code == 404
        assert "package 'bomb' cannot be evaluated" in answer.text
        assert served.peak_mb() < 300


def test_time(package_set, serve_set):
    numbers = "ns = builtins.genList (n: n) 100000"
    directory = package_set(f"let {numbers}; in {{ slow = builtins.seq ({ENDLESS}) tiny.hello; }}")
    with serve_set(directory, NIXERY_EVALUATION_TIMEOUT="3") as served:
        answer = refused_twice(served, "slow")
        assert "'slow' could not be evaluated within 3 seconds" in answer.text


@pytest.mark.parametrize("where", ["name", "output", "path", "drvPath", "siblings"])
def test_size_of_the_answer(package_set, serve_set, where):
    """Texts of 20 MB each, wherever the package set controls a part of the answer."""
    large = 'builtins.concatStringsSep "" (builtins.genList (_: long) 20000)'
    package = """{ type = "derivation"; name = "a"; outputs = [ "out" ];
        inherit (tiny.hello) drvPath outPath; }"""
    texts = {
        "name": f"{{ a = {package} // {{ name = large; }}; }}",
        "output": f"{{ a = {package} // {{ meta.outputsToInstall = [ large ]; }}; }}",
        "path": f"{{ a = {package} // {{ outPath = large; }}; }}",
        "drvPath": f"{{ a = {package} // {{ drvPath = large; }}; }}",
        "siblings": "{ a.${large} = 1; }",
    }
    directory = package_set(
        f'let long = builtins.concatStringsSep "" (builtins.genList (_: "x") 1024); '
        f"large = {large}; in {texts[where]}"
    )
    with serve_set(directory) as served:
        name = "a.b" if where == "siblings" else "a"
        if where == "name":
            assert served.manifest(name), "what a package calls itself is not asked for"
        else:
            assert refused_twice(served, name).status_code in (403, 404)
        assert served.peak_mb() < 300


def test_dots(package_set, serve_set):
    with serve_set(package_set("{ a = { b.c.d.e = tiny.hello; }; }")) as served:
        assert served.manifest("a.b.c.d.e")
        answer = served.get("/v2/a.b.c.d.e.f/manifests/latest")
    assert answer.status_code == 400
    assert "more dots than allowed (NIXERY_MAX_DOTS=4)" in answer.text


def test_attributes_that_lead_back_up(package_set, serve_set):
    """Two spellings of one attribute: the ways double with each component, and one is followed."""
    directory = package_set("let top = { loop = top; Loop = top; LOOP = top; }; in top")
    with serve_set(directory, NIXERY_MAX_DOTS="50") as served:
        answer = refused_twice(served, ".".join(["loop"] * 45 + ["nothing"]))
    assert "does not exist in this package set" in answer.text


def test_many_similar_names(package_set, serve_set):
    """Comparing a name with all of them would take minutes."""
    directory = package_set(
        """{ many = builtins.listToAttrs (builtins.genList
            (n: { name = "${ab}-${toString n}"; value = 1; }) 100000); }"""
    )
    text = (directory / "default.nix").read_text()
    (directory / "default.nix").write_text(
        text.replace(
            "let\n",
            'let\n  ab = builtins.concatStringsSep "" (builtins.genList (_: "ab") 50);\n',
            1,
        )
    )
    with serve_set(directory) as served:
        answer = refused_twice(served, "many." + "ab" * 52)
    assert "does not exist in this package set" in answer.text
