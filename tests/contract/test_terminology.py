"""The words that docs/STYLE.md's table rules out do not come back, in code, options or docs.

Each cell of the table's "not" column has to stand in RULED_OUT, with the search that finds it
where it means what the table says. A word that is also plain English is searched for as an
identifier, or the places that mean something else are named.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("python", "cpp", "docs", "bench", "examples", "training")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
KINDS = {".py", ".pyi", ".cpp", ".hpp", ".inl", ".md", ".toml"}
# The table itself, and this project's history of runs.
APART = {"docs/STYLE.md", "training/experiments.md"}

# Word -> what finds it, or None: plain English that no search tells from the ruled-out use.
RULED_OUT: dict[str, str | None] = {
    "picture": None,  # prose may say it
    "photo": None,
    "mask for soft mattes": None,
    "certainty": r"\bcertainty\b",
    "score": r"\bconfidence[ _]score\b|\bscore\s*:\s*(float|int)\b",
    "weak": r"\.weak\b|\bweak\s*[:=]|[\"'`]weak[\"'`]|\bis weak:|confidence 0 and is weak",
    "closer look": r"closer[ _-]look|looks?[ _]closer",
    "look": r"\b(both|each|one|two|these|second)[ \n]+looks?\b(?! channels|-ups)",
    "mirror": r"^mirror\s*=|`mirror\b|\.mirror\b",
    "solid": r"^solid\s*=|`solid\b|\.solid\b",
    "doubts": r"\b(fill|settle|clean)_doubts?\b|in doubt about\b|is a doubt\b",
    "ghosts": r"\bghosts?\b",
    "fog": r"\bdrop_fog\b|\bof fog\b|\bfog (kept|around|is)\b",
    "specks": r"\bspecks?\b|\w_specks?\b",
    "pinholes": r"pinholes?",
    "cleaning": r"\bcleaning\b",
    "choice": r"\b_?choice\.py|\bChoice\b",
    "choose": r"\bdef choose_\w+",
    "kept": r"\bkept_plans?\b|_planner[/.]kept\b",
    "fitting": r"_planner[/.]fitting\b|\bfitting\.py",
    "calibrate": r"\bcalibrate\s*=|--calibrate\b",
    "degraded": r"\.degraded\b|\bdegraded\s*[:=]|\bwas degraded\b|\bis degraded\b",
    "lanes": r"\.lanes\b|[\"'`]lanes[\"'`]",
    "at_once": r"\bat_once\b",
    "most_in_flight": r"most_in_flight",
    "gathering": r"[Gg]athering",
    "let_go": r"\blet_go\b",
    "forget": r"\bforget\(|\bdef _?forget\w*",
    "settle": r"\bsettle\(|\bdef _?settle\w*",
    "take": r"\bpool_take\b",
    "give": r"\bpool_give\b",
    "delivered": r"\bwas delivered\b|\.delivered\b|\bdelivered\s*[:=]",
}


def table_words() -> set[str]:
    """The "not" column of the table."""
    rows = re.findall(
        r"^\| [^|]+ \| [^|]+ \| ([^|]*) \|$", (ROOT / "docs" / "STYLE.md").read_text(), re.M
    )
    cells = [re.sub(r"\([^)]*\)|in identifiers", "", cell) for cell in rows if cell != "not"]
    words = {w.strip() for cell in cells for w in re.split(r",|/", cell)}
    return words - {"", "---"}


def files() -> list[Path]:
    found = [ROOT / page for page in PAGES]
    for folder in FOLDERS:
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in KINDS and p.is_file()]
    return sorted(p for p in found if p.relative_to(ROOT).as_posix() not in APART)


TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in files()}


def uses(pattern: str) -> list[str]:
    """Where a search finds something: file, line and the line's text."""
    found = []
    for name, text in TEXTS.items():
        for match in re.finditer(pattern, text, re.M):
            number = text.count("\n", 0, match.start()) + 1
            found.append(f"{name}:{number}: {text.splitlines()[number - 1].strip()[:90]}")
    return found


def test_every_word_of_the_table_is_searched_for_and_no_other():
    assert table_words() == set(RULED_OUT)
    assert len(TEXTS) > 200


@pytest.mark.parametrize(("word", "pattern"), [(w, p) for w, p in RULED_OUT.items() if p])
def test_a_word_that_is_ruled_out_is_not_used(word, pattern):
    found = uses(pattern)
    assert not found, f"{word!r}: docs/STYLE.md has the term instead:\n" + "\n".join(found)


def test_the_search_finds_what_it_is_for():
    for text, word in [
        ("report.weak", "weak"),
        ("Cutout.closer_look", "closer look"),
        ("mirror = true", "mirror"),
        ("def drop_specks(", "specks"),
        ("Plan.degraded", "degraded"),
        ("of both looks", "look"),
    ]:
        assert re.search(RULED_OUT[word] or "(?!)", text, re.M), word
