import json

import pytest

from nixery.closure import Package
from nixery.errors import Denied, EvaluationFailed, PackageNotFound
from nixery.nix.lookup import RefusedName, missing, read, verdict

SYSTEM = "x86_64-linux"
UNFREE = (
    "Package \u2018unrar-6.0\u2019 in /nix/store/x/unrar/default.nix:7 has an unfree license"
    " (\u2018unfree\u2019), refusing to evaluate.\n\na) To temporarily allow unfree packages, …"
)


HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la"
DRV = f"/nix/store/{HASH}-curl-8.11.0.drv"
BIN = f"/nix/store/{HASH}-curl-8.11.0-bin"


def answer(*packages, levels=()):
    return json.dumps({"packages": packages, "levels": dict(levels)}).encode()


def curl(drv=DRV, outputs=({"name": "bin", "path": BIN},), main="curl"):
    entry = {"name": "curl", "status": "ok", "drvPath": drv, "outputs": list(outputs)}
    return entry | {"mainProgram": main}


def test_read():
    """Packages and refusals, in the order of the names."""
    text = answer(
        {"name": "xorg.xef", "status": "not_found", "level": "xorg", "joined": ["xorgxef"]},
        {"name": "git", "status": "unchecked"},
        curl(),
        {"name": "lib", "status": "not_a_package", "type": "set"},
        levels={"xorg": ["recurseForDerivations", "xev"]}.items(),
    )
    assert read(text, ("xorg.xef", "git", "curl", "lib")) == (
        RefusedName(
            "xorg.xef", "not_found", "", "xorg", ("recurseForDerivations", "xev"), ("xorgxef",)
        ),
        RefusedName("git", "unchecked"),
        Package("curl", DRV, (("bin", BIN),), "curl"),
        RefusedName("lib", "not_a_package", "set"),
    )


@pytest.mark.parametrize("main", [None, 7, "", "../sh", "a b", "x" * 129])
def test_a_main_program_that_cannot_be_one_is_ignored(main):
    (package,) = read(answer(curl(main=main)), ("curl",))
    assert package.main_program == ""


@pytest.mark.parametrize(
    "entry",
    [
        *(curl(drv=text) for text in ("--option", "", BIN, f"{DRV}/x", f"{DRV}\n", None, 7)),
        curl(drv=f"/nix/store/{HASH}-{'x' * 208}.drv"),
        curl(drv=DRV.replace("/nix/store/0", "/nix/store/e")),
        curl(outputs=()),
        curl(outputs=[{"name": f"o{n}", "path": BIN} for n in range(65)]),
        *(curl(outputs=[{"name": "bin", "path": text}]) for text in ("--expr", "github:a/b", None)),
        *(curl(outputs=[{"name": "bin", "path": f"{BIN}{end}"}]) for end in ("/..", "!out", " x")),
        *(
            curl(outputs=[{"name": text, "path": BIN}])
            for text in ("-x", "a,b", "a!b", "", "x" * 212)
        ),
        curl(outputs=["bin"]),
    ],
)
def test_invalid_store_paths(entry):
    """Refused, even if the package set could handle it; the message is one line with the name."""
    (refused,) = read(answer(entry), ("curl",))
    assert isinstance(refused, RefusedName)
    error = verdict(refused, SYSTEM)
    assert isinstance(error, Denied)
    assert error.message.startswith("package 'curl' is refused: ")
    assert len(error.message.splitlines()) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"null", b"[" * 100_000, b"\xff", answer(), answer(curl(), curl())),
        *(answer({"name": "git", "status": "ok"}), answer({"status": "huge"}), answer([])),
        b'{"packages": [{"status": "ok", "drvPath": 1e999, "outputs": 1}], "levels": {}}',
    ],
)
def test_invalid_answers(text):
    with pytest.raises(EvaluationFailed, match="cannot be parsed"):
        read(text, ("curl",))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unfree", "it has an unfree license"),
        ("broken", "it is marked as broken"),
        ("insecure", "it has known vulnerabilities"),
        ("unsupported", "it is not available for x86_64-linux"),
    ],
)
def test_refused_without_a_text(status, reason):
    error = verdict(RefusedName("unrar", status), SYSTEM)
    assert isinstance(error, Denied)
    assert error.message == f"package 'unrar' is refused: {reason}"
    assert error.cause == status


@pytest.mark.parametrize(
    ("status", "subject"), [("unfree", "it"), ("failed", "unrar-6.0"), ("broken", "unrar-6.0")]
)
def test_the_text_decides(status, subject):
    """The configuration may allow what a flag says, and the text may be about a dependency."""
    error = verdict(RefusedName("archiver", status), SYSTEM, UNFREE)
    assert isinstance(error, Denied)
    assert error.cause == "unfree"
    assert error.message == (
        f"package 'archiver' is refused: {subject} has an unfree license (unfree)"
    )
    assert error.log[-1].startswith("a) To temporarily allow")


def test_not_a_package():
    error = verdict(RefusedName("lib", "not_a_package", "set"), SYSTEM)
    assert isinstance(error, Denied)
    assert error.message == "'lib' is not a package: it is an attribute set"


def test_failed():
    error = verdict(RefusedName("odd", "failed"), SYSTEM, "it is odd\nin 2023")
    assert isinstance(error, EvaluationFailed)
    assert error.message == "package 'odd' cannot be evaluated: it is odd"
    assert error.log == ("it is odd", "in 2023")


def test_removed():
    error = verdict(RefusedName("old", "failed"), SYSTEM, "old has been removed, use new")
    assert isinstance(error, PackageNotFound)
    assert error.message == "package 'old' no longer exists: old has been removed, use new"


def test_not_found():
    one = RefusedName("gti", "not_found", "", "", ("git",))
    assert missing([one]).message == (
        "package 'gti' does not exist in this package set; did you mean 'git'?"
    )
    many = RefusedName("pythn", "not_found", "", "", ("python2", "python3", "python4"))
    assert missing([many]).message.endswith("'python2', 'python3' or 'python4'?")
    none = RefusedName("qqq", "not_found", "", "", ("git",))
    assert missing([none]).message == "package 'qqq' does not exist in this package set"


def test_all_missing_names_are_reported():
    names = [
        RefusedName(name, "not_found", "", "", ("git", "htop")) for name in ("gti", "q", "htpo")
    ]
    assert missing(names).message == (
        "packages 'gti', 'q' and 'htpo' do not exist in this package set; "
        "did you mean 'git' for 'gti', 'htop' for 'htpo'?"
    )
    many = [RefusedName(f"q{n}", "not_found") for n in range(50)]
    assert missing(many).message.endswith("'q9' and 40 others do not exist in this package set")
