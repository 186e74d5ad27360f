"""The pages are kept true."""

import re
from pathlib import Path

import pytest

import nixery
from nixery import settings

ROOT = Path(nixery.__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_every_setting_is_documented():
    page = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in settings.names() if f"| `{name}` |" not in page] == []


def test_every_documented_setting_exists():
    page = (ROOT / "docs/configuration.md").read_text()
    documented = re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.MULTILINE)
    assert sorted(documented) == sorted(settings.names())


@pytest.mark.parametrize(
    "name",
    [name for name, field in settings.Settings.model_fields.items() if not field.is_required()],
)
def test_documented_defaults_are_the_defaults(name):
    """Where a default is a literal value, the page and the code agree."""
    field = settings.Settings.model_fields[name]
    row = next(
        line
        for line in (ROOT / "docs/configuration.md").read_text().splitlines()
        if line.startswith(f"| `{field.alias}` |")
    )
    documented = row.split("|")[2].strip().strip("`")
    match field.default:
        case bool(value):
            expected = str(int(value))
        case tuple(values):
            expected = " ".join(values) or "none"
        case dict():
            expected = "{}"
        case "" | None:
            expected = documented  # the page describes it in words
        case value:
            expected = str(value)
    assert documented == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"`[^`\n]*`", "", page.read_text())  # code may look like a link
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_readme_lists_every_page():
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES if f"({page.relative_to(ROOT)})" not in readme] == [
        "README.md"
    ]
