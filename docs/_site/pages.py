"""MkDocs hooks: the pages that are made from the code, and links that point out of docs/.

Made: the API reference from `nssbg.__all__`, the command-line reference from the argparse parser,
the index of decisions from their first lines, the table of benches from their docstrings, the
fields of bench.json from its schema, and the pages that stand in the checkout's root (changelog,
security, contributing).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import os
import re
import typing
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# Page of the site -> the file of the checkout's root that it shows.
FROM_ROOT = {
    "security.md": "SECURITY.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]\[]*)\]\(([^)\s]+)\)")
_EXAMPLE = re.compile(r"^<!-- example: (\S+) -->$", re.M)
_HELP_COLUMNS = "92"


def api_page() -> str:
    """Every public name with its docstring."""
    package = importlib.import_module("nssbg")
    lines = ["# Python", "", f"Version {package.__version__}. Names load on first use.", ""]
    aliases: list[tuple[str, Any]] = []
    for name in sorted(package.__all__, key=str.lower):
        value = getattr(package, name)
        if inspect.ismodule(value):
            lines += [f"## nssbg.{name} {{ #nssbg.{name} }}", "", inspect.getdoc(value) or "", ""]
            lines += [line for one in value.__all__ for line in _entry(f"{name}.{one}", value, one)]
        elif getattr(value, "__module__", "").startswith("nssbg"):
            lines += _entry(name, package, name)
        elif name != "__version__":
            aliases.append((name, value))
    lines += ["## Types { #types }", "", "Names for annotations.", ""]
    lines += ["| name | stands for |", "|---|---|"]
    lines += [f"| `nssbg.{name}` | {_spelled(value)} |" for name, value in aliases]
    return "\n".join(lines) + "\n"


def _entry(shown: str, owner: Any, name: str) -> list[str]:
    """A heading, and the directive that puts a docstring there."""
    value = getattr(owner, name)
    level = "##" + "#" * shown.count(".")
    heading = f"{level} nssbg.{shown} {{ #nssbg.{shown} }}"
    return [heading, "", f"::: {value.__module__}.{value.__qualname__}", ""]


def _spelled(value: Any) -> str:
    """A type alias in a table's cell."""
    parts = []
    for part in typing.get_args(value):
        if isinstance(part, str):
            parts.append(f'"{part}"')
        else:
            text = getattr(part, "__forward_arg__", None) or getattr(part, "__name__", str(part))
            parts.append(text)
    return ", ".join(f"`{part}`" for part in dict.fromkeys(parts))


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of its sub-commands, depth first."""
    found = [parser]
    for action in parser._actions:  # argparse has no public way to them
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                found += _parsers(child)
    return found


def cli_page() -> str:
    """The help of every command, as the command itself prints it."""
    os.environ["COLUMNS"] = _HELP_COLUMNS
    main = importlib.import_module("nssbg.cli.main")
    lines = ["# Command line", ""]
    for parser in _parsers(main.build_parser()):
        lines += [f"## {parser.prog}", "", "```text", parser.format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def decisions_page() -> str:
    """Number, title and status of every decision; a page tells its status if not accepted."""
    lines = [
        "# Decisions",
        "",
        "What was decided among real alternatives, and what was measured for it.",
        "",
        "| | decision | status |",
        "|---|---|---|",
    ]
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        number, _, title = text.splitlines()[0].removeprefix("# ").partition(": ")
        told = re.search(r"^Status: (.*?)(?:\n\n|\Z)", text, re.M | re.S)
        status = " ".join(told[1].split()).rstrip(".") if told else "accepted"
        lines.append(f"| {number} | [{title}]({path.name}) | {status} |")
    return "\n".join(lines) + "\n"


def bench_table() -> str:
    """What each bench that can be run measures, from its docstring."""
    lines = ["| command | measures |", "|---|---|"]
    for path in sorted((ROOT / "bench").glob("[a-z]*.py")):
        source = path.read_text(encoding="utf-8")
        if "__main__" in source:
            first = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
            lines.append(f"| `python -m bench run {path.stem}` | {' '.join(first.split())} |")
    return "\n".join(lines)


def with_examples(markdown: str) -> str:
    """A page's text with the files of examples/ that it asks for, whole.

    Raises:
        FileNotFoundError: One is not there.
    """

    def shown(match: re.Match[str]) -> str:
        source = (ROOT / "examples" / match[1]).read_text(encoding="utf-8")
        return f'```python title="examples/{match[1]}"\n{source.rstrip()}\n```'

    return _EXAMPLE.sub(shown, markdown)


def schema_tables() -> str:
    """Every field of the documents of `nssbg bench`, from their JSON Schema."""
    from nssbg.bench.document import schema_text

    schema = json.loads(schema_text())
    lines: list[str] = []
    waiting = [("", schema)]
    while waiting:
        name, node = waiting.pop(0)
        lines += ["", f"**{name or schema['title']}**: {node['description']}", ""]
        lines += ["| field | type | |", "|---|---|---|"]
        for field, value in node["properties"].items():
            kind = value.get("type", "constant")
            shown = kind if isinstance(kind, str) else " or ".join(kind)
            lines.append(f"| `{field}` | {shown} | {value['description']} |")
            inner = value.get("items", value)
            inner = inner.get("items", inner)
            if "properties" in inner:
                waiting.append((f"{name}.{field}".lstrip("."), inner))
    return "\n".join(lines).strip()


def _source_of(page: str) -> Path:
    """The file in the checkout that a page shows."""
    return ROOT / FROM_ROOT[page] if page in FROM_ROOT else DOCS / page


def _page_of(target: Path) -> str | None:
    """The page that shows a file of the checkout, or None."""
    for page, name in FROM_ROOT.items():
        if target == ROOT / name:
            return page
    if target == DOCS / "decisions":
        return "decisions/index.md"
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    return None


def relinked(markdown: str, page: str, repository: str = "") -> str:
    """A page's text with links as the site has them.

    Args:
        markdown: The text as it stands in the checkout.
        page: Its place in the site.
        repository: Address of the repository's pages; "": files that are not in the site are named.
    """

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        place, hash_, anchor = target.partition("#")
        path = Path(os.path.normpath(_source_of(page).parent / place))
        shown = _page_of(path)
        if shown is not None:
            there = os.path.relpath(shown, Path(page).parent)
            return f"[{words}]({there}{hash_}{anchor})"
        name = path.relative_to(ROOT).as_posix()
        if repository:
            return f"[{words}]({repository.rstrip('/')}/blob/main/{name})"
        return words if name in words else f"{words} (`{name}`)"

    return _LINK.sub(link, markdown)


def on_files(files: Files, config: Any) -> Files:
    """Add what is made."""
    made = {
        "reference/api.md": api_page(),
        "reference/cli.md": cli_page(),
        "decisions/index.md": decisions_page(),
        **{page: (ROOT / name).read_text(encoding="utf-8") for page, name in FROM_ROOT.items()},
    }
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    from nssbg.bench.document import schema_text

    files.append(File.generated(config, "reference/bench-1.schema.json", content=schema_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links, and the table of benches and the examples where a page asks for them."""
    text = markdown.replace("<!-- generated: bench -->", bench_table())
    text = text.replace("<!-- generated: bench schema -->", schema_tables())
    linked = relinked(text, page.file.src_uri, config.repo_url or "")
    return with_examples(linked)  # last: an example's brackets are no links
