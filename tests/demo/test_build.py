"""The steps of a build that need no sandbox, on a package written here."""

import pytest
from debset.build import count_builds
from fromdeb import finish, patch
from fromdeb.spec import Spec, Wrap
from fromdeb.unpack import make_links, unpack
from support.demo.debs import make_deb, make_elf


@pytest.fixture
def spec(tmp_path):
    """Makes a Spec: a package with outputs ``bin`` and ``out`` that depends on dash and perl."""

    def make(files=None, links=None, alternatives=(), wrap=None, outputs=("bin", "out", "man")):
        deb = make_deb(tmp_path / "a.deb", files or {}, links=links)
        for name in ("dash", "perl"):
            (tmp_path / name / "bin").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "bin" / name).write_text("")
        made = Spec(
            node="a",
            debs=((deb, outputs[0]),),
            outputs={output: tmp_path / output for output in outputs},
            deps={"dash.out": tmp_path / "dash", "perl.out": tmp_path / "perl"},
            depends={outputs[0]: ("perl.out", "dash.out")},
            links=tuple(alternatives),
            wrap=wrap or Wrap(),
            boot=tmp_path,
        )
        for path in made.outputs.values():
            path.mkdir()
        return made

    return make


def build(made):
    return make_links(made, unpack(made))


def listing(root):
    """Every file below a directory: its content, or a link's target."""
    return {
        str(path.relative_to(root)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_files_go_to_their_outputs(spec, tmp_path):
    made = spec(
        {
            "./usr/bin/a": (b"program", 0o4755),
            "./etc/a.conf": b"conf",
            "./usr/share/man/man1/a.1.gz": b"man",
            "./usr/share/doc/a/README": b"doc",
        }
    )
    assert build(made) == []
    assert listing(tmp_path / "bin") == {"bin/a": b"program", "etc/a.conf": b"conf"}
    assert listing(tmp_path / "man") == {"share/man/man1/a.1.gz": b"man"}
    assert (tmp_path / "bin/bin/a").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "bin/etc/a.conf").stat().st_mode & 0o7777 == 0o644


def test_links_lead_inside_or_to_a_dependency(spec, tmp_path):
    made = spec(
        {"./usr/lib/x86_64-linux-gnu/liba.so.1.2": b""},
        links={
            "./usr/lib/x86_64-linux-gnu/liba.so": "liba.so.1",
            "./usr/lib/x86_64-linux-gnu/liba.so.1": "liba.so.1.2",
            "./usr/bin/sh": "/bin/dash",
            "./usr/bin/gone": "nowhere",
        },
        alternatives=[("/usr/bin/p", "/usr/bin/pe[a-z]*"), ("/usr/share/man/man1/p.1", "/x")],
    )
    assert [link.path for link in build(made)] == ["usr/bin/gone", "usr/share/man/man1/p.1"]
    assert listing(tmp_path / "bin") == {
        "lib/liba.so": "liba.so.1",
        "lib/liba.so.1": "liba.so.1.2",
        "lib/liba.so.1.2": b"",
        "bin/sh": str(tmp_path / "dash/bin/dash"),
        "bin/p": str(tmp_path / "perl/bin/perl"),
    }


def test_no_link_leads_to_or_from_the_manuals(spec, tmp_path):
    """They refer to nothing, and nothing to them: images leave them out."""
    pages = "usr/share/man/man1"
    made = spec(
        {f"./{pages}/a.1.gz": b""},
        links={"./usr/bin/a": f"/{pages}/a.1.gz", f"./{pages}/p.1.gz": "perl.1.gz"},
    )
    elsewhere = tmp_path / "perl/share/man/man1/perl.1.gz"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("")
    assert [link.path for link in build(made)] == ["usr/bin/a", f"{pages}/p.1.gz"]


def test_scripts_find_their_interpreters(spec, tmp_path):
    made = spec(
        {
            "./usr/bin/a": (b"#!/usr/bin/perl -w\nprint 1;\n", 0o755),
            "./usr/bin/b": (b"#!/usr/bin/env -S dash -e\n", 0o755),
            "./usr/bin/c": (b"#!/usr/bin/tclsh\n", 0o755),
            "./usr/share/perl5/A.pm": b"1;",
            "./usr/share/d": (b"#!/bin/sh\n", 0o644),
        },
        outputs=("out",),
    )
    build(made)
    assert patch.patch_scripts(made) == 2
    found = listing(tmp_path / "out/bin")
    assert (
        found["a"]
        == (
            f"#!{tmp_path}/perl/bin/perl -w\nuse lib qw({tmp_path}/out/share/perl5);\nprint 1;\n"
        ).encode()
    )
    assert found["b"] == f"#!{tmp_path}/dash/bin/dash -e\n".encode()
    assert found["c"] == b"#!/usr/bin/tclsh\n"


def test_compiled_in_paths_keep_their_length(spec, tmp_path):
    content = make_elf(["/usr/share/nodejs/x"])
    wrap = Wrap(replace={"/usr/share/nodejs/": "/////share/nodejs/"})
    made = spec({"./usr/bin/a": (content, 0o755), "./b": b"/usr/share/nodejs/"}, wrap=wrap)
    build(made)
    assert patch.patch_strings(made) == 1
    changed = (tmp_path / "bin/bin/a").read_bytes()
    assert changed == content.replace(b"/usr/share/nodejs", b"/////share/nodejs")
    assert (tmp_path / "bin/b").read_bytes() == b"/usr/share/nodejs/"


def test_a_replacement_of_another_length_is_refused(spec):
    made = spec({"./usr/bin/a": make_elf()}, wrap=Wrap(replace={"/usr": "/"}))
    build(made)
    with pytest.raises(ValueError, match="differ in length"):
        patch.patch_strings(made)


def test_a_wrapped_program_keeps_its_name(spec, tmp_path):
    """Git and vim act on the name they are called by, so links stay links to the program."""
    made = spec(
        {"./usr/bin/a": (b"program", 0o755), "./usr/share/a/v1/x": b""},
        links={"./usr/bin/view": "a"},
        outputs=("out",),
        wrap=Wrap(
            programs=("a", "view", "absent"),
            default={"A": "@out@/share/a/v[0-9]*:@perl@/x"},
            prefix={"P": "@out@"},
        ),
    )
    build(made)
    finish.finish(made)
    found = listing(tmp_path / "out")
    out = f"{tmp_path}/out"
    assert found["libexec/wrapped/a"] == b"program"
    assert found["libexec/wrapped/view"] == "a"
    assert found["bin/view"].decode() == (
        f"#!{tmp_path}/dash/bin/dash\n"
        f"export A=${{A-{out}/share/a/v1:{tmp_path}/perl/x}}\n"
        f"export P={out}${{P:+:$P}}\n"
        f'exec {out}/libexec/wrapped/view "$@"\n'
    )
    assert (tmp_path / "out/bin/a").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("value", "error"), [("@out@/x*", FileNotFoundError), ("@zsh@/x", KeyError)]
)
def test_a_wrapper_that_names_nothing_is_refused(spec, value, error):
    made = spec({"./usr/bin/a": b""}, wrap=Wrap(programs=("a",), default={"A": value}))
    build(made)
    with pytest.raises(error):
        finish.finish(made)


def test_declared_dependencies_are_written_down(spec, tmp_path):
    made = spec()
    finish.finish(made)
    depends = (tmp_path / "bin/nix-support/depends").read_text()
    assert depends == f"{tmp_path}/dash\n{tmp_path}/perl\n"


def test_python_modules_name_those_they_need(spec, tmp_path):
    """The site module reads .pth files of directories that it was given, not of those they name."""
    made = spec({"./usr/lib/python3/dist-packages/a.py": b""}, outputs=("out",))
    (tmp_path / "perl/nix-support").mkdir()
    (tmp_path / "perl/nix-support/python-path").write_text("/one\n/two\n")
    build(made)
    finish.finish(made)
    modules = tmp_path / "out/lib/python3/dist-packages"
    assert (modules / "a-needs.pth").read_text() == "/one\n/two\n"
    told = (tmp_path / "out/nix-support/python-path").read_text()
    assert told == f"{modules}\n/one\n/two\n"


def test_how_far_nix_is():
    assert count_builds("") == "Nix evaluates the set"
    assert count_builds("building 'x'...\n") == "build 1"
    log = "these 12 derivations will be built:\n  x\nbuilding 'x'...\nout\nbuilding 'y'...\n"
    assert count_builds(log) == "build 2 of 12"
