"""Facts in, one HTML page out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import jinja2
from markupsafe import Markup

from leadml.reports import words
from leadml.reports.site.lead import lead_page
from leadml.reports.site.leads import leads_page
from leadml.reports.site.model import model_page
from leadml.reports.site.overview import overview_page
from leadml.reports.site.texts import say
from leadml.reports.site.thresholds import thresholds_page
from leadml.reports.site.versions import versions_page

__all__ = ["PAGES", "asset", "assets", "render_fault", "render_page", "render_part"]

PAGES: Final = (
    ("overview", "/"),
    ("leads", "/leads"),
    ("thresholds", "/thresholds"),
    ("model", "/model"),
    ("versions", "/versions"),
)
"""Keys of the pages and their addresses, in the order of the navigation."""

_VIEWS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "overview": overview_page,
    "leads": leads_page,
    "lead": lead_page,
    "thresholds": thresholds_page,
    "model": model_page,
    "versions": versions_page,
    "sign_in": dict,
    "account": dict,
}


def render_page(page: str, facts: Mapping[str, Any], around: Mapping[str, Any]) -> str:
    """A page as a complete HTML document, all text of others escaped.

    Parameters
    ----------
    page
        A key of a view, as ``facts["page"]``.
    facts
        What the page shows, see ``service.site.Site``.
    around
        ``frame`` (model, policy), ``theme``, ``csrf``, ``person``, ``open``, ``flash``,
        ``can_manage``, ``can_write``, ``facts_address``.
    """
    view = _VIEWS[page](facts)
    return _template(page).render(
        **_around(around, here="leads" if page == "lead" else page), **view
    )


def render_part(page: str, part: str, facts: Mapping[str, Any]) -> str:
    """One part of a page, for a script that replaces it."""
    return _template(f"{page}_{part}").render(**_VIEWS[page](facts))


def render_fault(fault: Mapping[str, Any], around: Mapping[str, Any]) -> str:
    """A failure as a page: ``title``, ``detail`` and, if known, ``fix``."""
    return _template("fault").render(**_around(around, here=""), fault=fault)


def _around(around: Mapping[str, Any], *, here: str) -> dict[str, Any]:
    given: dict[str, Any] = {
        "frame": None,
        "theme": "auto",
        "csrf": "",
        "person": None,
        "open": "",
        "flash": None,
        "can_manage": False,
        "can_policy": False,
        "can_write": False,
        "facts_address": "",
        "bare": False,
        "sign_in": "",
        "note": "",
        **around,
    }
    names = {name.partition(".")[2]: path for path, (name, _) in assets().items()}
    return {
        **given,
        "here": here,
        "pages": PAGES,
        "sheet": _hashed("css", names),
        "script": _hashed("js", names),
    }


def _hashed(kind: str, names: Mapping[str, str]) -> str:
    return names[kind]


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(f"site/{name}.html.jinja")


_ISO_DAY: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b(?!T)")


_RANGE: Final = re.compile(rf"(?<=\d){words.EN}(?=\d)")
_JOINED: Final = f"{words.EN}\u2060"


def _tidy(text: str) -> str:
    """Text as people read it: days by name, ranges in one line, the thin space of the house."""
    named = _ISO_DAY.sub(lambda found: words.day(found[0]), words.tidy(text))
    return _RANGE.sub(_JOINED, named)


def _sentence(text: str) -> str:
    """A failure's words as a sentence: a capital first, a stop at the end."""
    said = _tidy(text).strip()
    return said[:1].upper() + said[1:] + ("" if said[-1:] in ".!?" else ".")


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("leadml.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )
    made.globals["t"] = say
    made.filters["drawing"] = Markup  # SVG of our own making, escaped where it was drawn
    made.filters["tidy"] = _tidy
    made.filters["sentence"] = _sentence
    made.filters["day"] = words.day
    return made


# --- files beside the pages -----------------------------------------------------------

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18">'
    '<rect x="0" y="1" width="18" height="4" rx="1.2" fill="#9aa0aa"/>'
    '<rect x="4" y="7" width="14" height="4" rx="1.2" fill="#628ee2"/>'
    '<rect x="10" y="13" width="8" height="4" rx="1.2" fill="#2450b8"/></svg>'
)


@lru_cache(maxsize=1)
def assets() -> dict[str, tuple[str, bytes]]:
    """Files that pages load: by their name with a hash, the plain name and the content."""
    templates = resources.files("leadml.reports").joinpath("templates")

    def text(*parts: str) -> bytes:
        return b"".join(templates.joinpath(part).read_bytes() for part in parts)

    plain = {
        "leadml.css": text("parts.css", "site/site.css"),
        "leadml.js": text("site/site.js"),
    }
    found = {"leadml.svg": ("leadml.svg", _ICON.encode())}
    for name, content in plain.items():
        stem, _, kind = name.partition(".")
        found[f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{kind}"] = (name, content)
    return found


def asset(path: str) -> tuple[str, bytes] | None:
    """The file with this name in an address: its plain name and content, None if unknown."""
    return assets().get(path)
