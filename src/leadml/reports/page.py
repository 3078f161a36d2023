"""One self-contained HTML file from facts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from leadml.reports import words
from leadml.reports.charts.printed import Printed
from leadml.reports.story.contents import tell

__all__ = ["render_report"]


def _sheet() -> str:
    """Tokens and parts that served pages share, then what the report has alone."""
    templates = resources.files("leadml.reports").joinpath("templates")
    return "".join(
        templates.joinpath(name).read_text("utf-8") for name in ("parts.css", "report.css")
    )


def render_report(facts: Mapping[str, Any]) -> str:
    """The report of a training run as one HTML file.

    The file needs no network and runs no script: its one style sheet is allowed by
    hash, everything else is denied by its content security policy. All text is
    escaped, whatever column names or levels contain.

    Parameters
    ----------
    facts
        Plain facts of the run; optional parts may be absent.

    Returns
    -------
    str
        A complete HTML document.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leadml.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["drawing"] = Markup  # SVG of our own making, escaped where it was drawn
    environment.filters["tidy"] = words.tidy
    sheet = _sheet()
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    own = Markup(sheet)  # noqa: S704 - our own file, no text of others
    return environment.get_template("report.html.jinja").render(
        **tell(facts, Printed()), sheet=own, policy=policy
    )
