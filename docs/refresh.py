"""Rewrites the generated parts of the documents: plan, errors, commands, settings, OpenAPI.

``make format`` runs it; ``tests/test_house.py`` fails where a document is behind.
A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SERVE = DOCS.parent / "serve"
SOURCE = DOCS.parent / "src" / "leadml"
ROOMS = (
    "cli",
    "api",
    "service",
    "settings",
    "datasets",
    "registry",
    "store",
    "webhooks",
    "reports",
    "training",
    "monitoring",
    "evaluation",
    "thresholds",
    "scorecard",
    "features",
    "leads",
    "errors",
)
PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def caption(path: Path) -> str:
    """First line of a module's docstring, without the full stop."""
    if not path.is_file():
        return ""
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return said.split("\n")[0].removesuffix(".")


def plan() -> str:
    """Rooms from the top of the house to its ground, modules inside, captions beside."""
    lines = ["```"]
    for room in ROOMS:
        home = SOURCE / room
        if home.is_dir():
            lines.append(f"{room + '/':<24}{caption(home / '__init__.py')}")
            lines += _inside(home, 1)
        else:
            lines.append(f"{room + '.py':<24}{caption(home.with_suffix('.py'))}")
    return "\n".join([*lines, "```"])


def _inside(home: Path, depth: int) -> Iterator[str]:
    for path in sorted(home.iterdir()):
        label = "  " * depth + path.name
        if path.suffix == ".py" and path.name != "__init__.py":
            yield f"{label:<24}{'  ' if len(label) > 23 else ''}{caption(path)}"
        elif (path / "__init__.py").is_file():
            yield f"{label + '/':<24}{caption(path / '__init__.py')}"
            yield from _inside(path, depth + 1)


def errors() -> str:
    """Every code of the tree that callers may meet."""
    from leadml.errors import all_errors

    rows = ["| code | title | HTTP | exit | means |", "|---|---|---|---|---|"]
    for error in all_errors():
        if error.__module__ != "leadml.errors":
            continue
        means = (error.__doc__ or "").split("\n")[0]
        rows.append(
            f"| `{error.code}` | {error.title} | {error.status} | {error.exit_code} | {means} |"
        )
    return "\n".join(rows)


def commands() -> str:
    """What every command says of itself."""
    import typer

    from leadml.cli.app import app

    parts = []
    for words, command in leaves(typer.main.get_command(app)):
        context = command.context_class(command, info_name=" ".join(("leadml", *words)))
        context.terminal_width = context.max_content_width = 96
        help_ = command.get_help(context).strip()
        parts.append(f"## leadml {' '.join(words)}\n\n```text\n{help_}\n```\n")
    return "\n".join(parts)


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below ``command``, with the words that call it."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, child in command.commands.items():
        yield from leaves(child, (*words, name))


def settings() -> str:
    """Every setting with its default and meaning."""
    from leadml.settings import settings_table

    return settings_table()


PARTS: dict[str, Callable[[], str]] = {
    "plan": plan,
    "errors": errors,
    "commands": commands,
    "settings": settings,
}


def refreshed(text: str) -> str:
    """The document with its generated parts as they are now."""
    return PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


def openapi() -> dict[Path, str]:
    """The documents that clients and CRMs import, by the file that holds each."""
    from leadml.api.documents import written

    return {SERVE / name: text for name, text in written().items()}


def stale() -> dict[Path, str]:
    """Documents that are behind the code, with what they should say."""
    found = {path: refreshed(path.read_text("utf-8")) for path in sorted(DOCS.rglob("*.md"))}
    found.update(openapi())
    return {
        path: text
        for path, text in found.items()
        if not path.is_file() or text != path.read_text("utf-8")
    }


if __name__ == "__main__":
    for path, text in stale().items():
        path.write_text(text, "utf-8")
        sys.stdout.write(f"refreshed {path.relative_to(DOCS.parent)}\n")
