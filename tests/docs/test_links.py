"""No dead link in any page of the checkout: files and headings, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = {"build", "dist", "out", "shared", "site-packages"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part in SKIPPED or part[:5] == ".venv" for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"!?\[[^\]\[]*\]\(([^)\s]+)\)")
# Pages that the site's build makes, and that others may link to (docs/_site/pages.py).
MADE = {"docs/decisions/index.md", "docs/reference/api.md", "docs/reference/cli.md"}


def prose(text):
    """The text without its code, in which brackets are no links."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "", text)


def headings(text):
    """The anchors that GitHub and the site make of a page's headings."""
    words = re.findall(
        r"^#+ +(.*?)(?: *\{.*\})?$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M
    )
    return {re.sub(r"[^\w\- ]", "", word.lower()).strip().replace(" ", "-") for word in words}


def dead_links(path, text):
    """The links of a page that lead nowhere."""
    dead = []
    for target in LINK.findall(prose(text)):
        if re.match(r"(https?|mailto):", target):
            continue
        place, _, anchor = target.partition("#")
        there = (path.parent / place).resolve() if place else path
        if place and there.is_relative_to(ROOT) and str(there.relative_to(ROOT)) in MADE:
            continue
        known = headings(there.read_text()) if there.suffix == ".md" and there.exists() else set()
        if not there.exists() or (anchor and anchor not in known):
            dead.append(target)
    return dead


def test_there_are_pages_and_links_to_check():
    assert ROOT / "README.md" in PAGES
    assert sum(len(LINK.findall(prose(path.read_text()))) for path in PAGES) > 60


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_is_dead(path):
    assert dead_links(path, path.read_text()) == []


def test_a_dead_link_is_seen(tmp_path):
    text = "[a](docs/no-such.md) [b](README.md#no-such-heading) [c](README.md) `[d](gone.md)`"
    assert dead_links(ROOT / "x.md", text) == ["docs/no-such.md", "README.md#no-such-heading"]


def test_files_that_the_code_names_are_there():
    named = set()
    for folder in ("python", "cpp", "cmake", "bench"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".cpp", ".hpp", ".inl", ".cmake", ".md", ".toml"):
                named |= set(re.findall(r"\bdocs/[\w./-]+\.\w+", path.read_text()))
    assert len(named) > 5
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []
