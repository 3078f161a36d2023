"""Histories that nobody should learn from, one small writer each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

__all__ = [
    "CORPUS",
    "HEALTHY_ROWS",
    "Evil",
    "Table",
    "history",
    "strange_names",
    "strange_values",
    "text_of_table",
]

HEALTHY_ROWS: Final = 400
START: Final = datetime(2024, 1, 1, tzinfo=UTC)

Table = dict[str, list[Any]]
"""Columns of cells, as they will stand in the file."""


@dataclass(frozen=True)
class Evil:
    """A bad file and what leadml must say about it.

    Parameters
    ----------
    name
        What is wrong with it.
    write
        Gives the bytes of the file; None where there is no file at all.
    code
        The error that refuses it (``table_empty``) or the check that finds it (``LML008``).
    column
        Must be named; empty where no single column is at fault.
    rows
        Row numbers (counted below the header from 1) that must be named, in this order.
    options
        What the user says beside the target ``won``.
    severity
        Of the finding: ``blocks``, ``warns`` or ``tip``.
    """

    name: str
    write: Callable[[], bytes | None]
    code: str
    column: str = ""
    rows: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "warns"

    @property
    def refused(self) -> bool:
        """Whether nothing may be learned from it at all."""
        return not self.code.startswith("LML")


CORPUS: Final[dict[str, Evil]] = {}
"""The whole corpus by name."""


def history(n: int = HEALTHY_ROWS, seed: int = 0, *, dated: bool = False) -> Table:
    """A healthy table: an id, four honest columns, the outcome ``won``; times if ``dated``."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(3, n)
    employees = np.round(rng.lognormal(4, 1, n), 1)
    source = rng.choice(["web", "fair", "ad", "referral"], n)
    country = rng.choice(["DE", "FR", "US", "GB"], n)
    log_odds = -2.6 + 0.35 * visits + 0.9 * (source == "referral")
    won = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)
    table: Table = {"lead": [f"L{i:05d}" for i in rng.permutation(n)]}
    if dated:
        steps = np.sort(rng.integers(0, 400 * 24, n))
        created = [START + timedelta(hours=int(step)) for step in steps]
        late = rng.integers(1, 20, n)
        table["created"] = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in created]
        table["won_at"] = [
            f"{moment + timedelta(days=int(days)):%Y-%m-%dT%H:%M:%SZ}" if yes else ""
            for moment, days, yes in zip(created, late, won, strict=True)
        ]
    return table | {
        "visits": visits.tolist(),
        "employees": employees.tolist(),
        "source": source.tolist(),
        "country": country.tolist(),
        "won": won.tolist(),
    }


def text_of_table(table: Table, delimiter: str = ",") -> str:
    """The table as delimited text with a header."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return out.getvalue()


def evil(
    code: str, column: str = "", rows: tuple[int, ...] = (), severity: str = "warns", **options: Any
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Put a writer into the corpus; it may give a table, text, bytes, or None for no file."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        def write() -> bytes | None:
            made = make()
            if isinstance(made, dict):
                made = text_of_table(made)
            return made.encode("utf-8") if isinstance(made, str) else made

        name = make.__name__.replace("_", " ")
        CORPUS[name] = Evil(name, write, code, column, rows, options, severity)
        return make

    return enter


# --- outcomes ---------------------------------------------------------------------


@evil("target_one_class", "won")
def constant_target() -> Table:
    """Every lead converted, says the column."""
    table = history()
    return table | {"won": ["yes"] * len(table["won"])}


@evil("target_one_class", "won")
def one_class() -> Table:
    """Winners are marked, losers left empty."""
    table = history()
    return table | {"won": ["won" if won else "" for won in table["won"]]}


@evil("too_few_conversions", "won")
def one_positive() -> Table:
    """A single conversion."""
    table = history()
    return table | {"won": [1 if row == 7 else 0 for row in range(len(table["won"]))]}


@evil("outcome_invalid", "won")
def empty_target() -> Table:
    """An outcome column that nobody ever filled."""
    table = history()
    return table | {"won": [""] * len(table["won"])}


@evil("outcome_invalid", "won", rows=(3, 6, 8))
def labels_in_two_languages() -> Table:
    """Yes is written as yes and as Ja; either alone would lose the other."""
    table = history()
    won = ["yes" if yes else "no" for yes in table["won"]]
    for row in (2, 5, 7):
        won[row] = "Ja"
    return table | {"won": won}


@evil("config_invalid", "won", id="won")
def target_named_as_the_id() -> Table:
    """One column in two roles."""
    return history()


@evil("table_empty", "won", created_at="created", outcome_at="won_at", horizon_days=3000)
def horizon_longer_than_the_history() -> Table:
    """No lead is old enough to be known."""
    return history(dated=True)


@evil("target_missing", "won")
def no_target() -> Table:
    """The named outcome is not in the table."""
    table = history()
    del table["won"]
    return table


# --- columns that know the outcome --------------------------------------------------


@evil("LML001", "deal", severity="blocks")
def target_copied() -> Table:
    """The outcome once more, in other words."""
    table = history()
    return table | {"deal": ["signed" if won else "gone" for won in table["won"]]}


@evil("LML001", "effort", severity="blocks")
def target_transformed() -> Table:
    """The outcome as a number, blurred and bent."""
    table = history()
    rng = np.random.default_rng(1)
    hidden = np.array(table["won"]) + rng.normal(0, 0.25, len(table["won"]))
    return table | {"effort": np.round(np.exp(-3 * hidden), 4).tolist()}


@evil("LML002", "budget", severity="blocks")
def filled_by_sales() -> Table:
    """A number that only worked leads have."""
    table = history()
    rng = np.random.default_rng(2)
    filled = rng.random(len(table["won"])) < np.where(table["won"], 0.9, 0.2)
    sums = rng.integers(1, 90, len(filled)) * 100
    return table | {
        "budget": [int(sum_) if f else "" for f, sum_ in zip(filled, sums, strict=True)]
    }


@evil("LML005", "touched", severity="tip", created_at="created", outcome_at="won_at")
def timestamp_after_the_outcome() -> Table:
    """A time written weeks after the lead came in."""
    table = history(dated=True)
    later = [datetime.fromisoformat(at) + timedelta(days=40) for at in table["created"]]
    return table | {"touched": [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in later]}


# --- rows ----------------------------------------------------------------------------


@evil("LML008", rows=tuple(range(401, 421)))
def every_row_ten_times() -> Table:
    """A join gone wrong: ten copies of each row."""
    return {name: cells * 10 for name, cells in history().items()}


@evil("LML007", "lead", created_at="created", outcome_at="won_at", id="lead")
def the_same_lead_in_training_and_test() -> Table:
    """Leads come back later under the same id."""
    table = history(dated=True)
    half = len(table["lead"]) // 2
    return table | {"lead": table["lead"][:half] * 2}


@evil("table_empty")
def empty() -> str:
    """No byte at all."""
    return ""


@evil("table_empty")
def header_only() -> Table:
    """Names without rows."""
    return {name: [] for name in history(2)}


@evil("target_one_class", "won")
def one_row() -> Table:
    """A single lead."""
    return {name: cells[:1] for name, cells in history().items()}


# --- columns ----------------------------------------------------------------------------


@evil("LML009", "fax", severity="tip")
def column_without_a_value() -> Table:
    """A column that is empty in every row."""
    table = history()
    return table | {"fax": [""] * len(table["won"])}


@evil("LML011", "page", severity="tip")
def a_hundred_thousand_levels() -> Table:
    """A category of 100,000 texts."""
    n = 104_000
    rng = np.random.default_rng(3)
    page = rng.integers(0, 100_000, n)
    page[:100_000] = rng.permutation(100_000)
    visits = rng.poisson(2, n)
    won = (rng.random(n) < 0.05 * (1 + visits)).astype(int)
    return {
        "page": [f"/p/{number}" for number in page],
        "visits": visits.tolist(),
        "won": won.tolist(),
    }


@evil("LML010", "ticket")
def id_as_a_feature() -> Table:
    """A running number of another system, with one of them used twice."""
    table = history(90)
    return table | {"ticket": [f"T-{7 * max(row, 1) + 1000}" for row in range(90)]}


@evil("LML021", "employees", rows=(11, 51, 91))
def words_among_numbers() -> Table:
    """Numbers, and now and then a word."""
    table = history()
    employees = list(table["employees"])
    for row in (10, 50, 90):
        employees[row] = "about 200"
    return table | {"employees": employees}


@evil("LML021", "revenue", rows=(1, 2))
def numbers_as_people_write_them() -> Table:
    """Thousands separators, decimal commas and a currency."""
    table = history()
    return table | {"revenue": [f"€ {1 + row % 97},{row % 10}00" for row in range(400)]}


@evil("LML022", "ratio", rows=(5, 105))
def infinite_numbers() -> Table:
    """A division by zero on the way."""
    table = history()
    ratio = [round(0.1 + (7 * row % 13) / 3, 3) for row in range(len(table["won"]))]
    ratio[4], ratio[104] = "inf", "-inf"
    return table | {"ratio": ratio}


@evil("LML025")
def five_thousand_columns() -> Table:
    """Far more columns than rows."""
    table = history(120)
    rng = np.random.default_rng(4)
    noise = rng.integers(0, 9, (4994, 120))
    return table | {f"flag_{k}": row.tolist() for k, row in enumerate(noise)}


@evil("LML023", "company", rows=(2, 41))
def formula_injection() -> Table:
    """Cells that a spreadsheet would run."""
    table = history()
    company = [f"firm {row % 30}" for row in range(len(table["won"]))]
    company[1] = '=HYPERLINK("http://evil.example","click")'
    company[40] = "@SUM(1+1)*cmd|' /C calc'!A0"
    return table | {"company": company}


@evil("LML018", "remark", rows=(3, 33))
def personal_data_in_text() -> Table:
    """Addresses and numbers of people in a remark."""
    table = history()
    remark = [("called twice", "asked for a demo", "")[row % 3] for row in range(400)]
    remark[2] = "write to jane.roe@example.org"
    remark[32] = "ring +49 30 901820 after six"
    return table | {"remark": remark}


# --- times ----------------------------------------------------------------------------------


@evil("LML006", "created", rows=(400,), created_at="created", outcome_at="won_at")
def created_in_the_future() -> Table:
    """A lead from the year 2094."""
    table = history(dated=True)
    created = list(table["created"])
    created[-1] = "2094-05-01T00:00:00Z"
    won_at = list(table["won_at"])
    won_at[-1] = ""
    return table | {"created": created, "won_at": won_at}


@evil("invalid_value", "created", rows=(2, 3, 5, 6), created_at="created")
def three_date_formats() -> Table:
    """Year first, day first, month in letters."""
    table = history(dated=True)
    forms = ("%Y-%m-%d", "%d/%m/%Y", "%b %d, %Y")
    created = [
        datetime.fromisoformat(at).strftime(forms[row % 3])
        for row, at in enumerate(table["created"])
    ]
    return table | {"created": created}


@evil("LML027", "signup", rows=(2, 3, 5, 6))
def three_date_formats_in_a_column() -> Table:
    """The same, in a column that nobody named."""
    table = history()
    forms = ("%Y-%m-%d", "%d/%m/%Y", "%b %d, %Y")
    signup = [(START + timedelta(days=row % 40)).strftime(forms[row % 3]) for row in range(400)]
    return table | {"signup": signup}


@evil("invalid_value", "won_at", created_at="created", outcome_at="won_at")
def outcomes_before_creation() -> Table:
    """The two times are swapped."""
    table = history(dated=True)
    created = [won or at for at, won in zip(table["created"], table["won_at"], strict=True)]
    won_at = [at if won else "" for at, won in zip(table["created"], table["won_at"], strict=True)]
    return table | {"created": created, "won_at": won_at}


@evil("LML006", "won_at", rows=(), created_at="created", outcome_at="won_at")
def an_outcome_before_creation() -> Table:
    """One outcome of many lies before its lead."""
    table = history(dated=True)
    row = table["won"].index(1)
    won_at = list(table["won_at"])
    won_at[row] = "2023-12-24T00:00:00Z"
    return table | {"won_at": won_at}


# --- files -------------------------------------------------------------------------------------


@evil("LML028", severity="tip")
def byte_order_mark_and_semicolons() -> bytes:
    """As a spreadsheet saves it in half of Europe."""
    return b"\xef\xbb\xbf" + text_of_table(history(), ";").encode()


@evil("LML028", severity="tip")
def utf_16() -> bytes:
    """As a spreadsheet saves "Unicode text"."""
    return text_of_table(history(), "\t").encode("utf-16")


@evil("LML028", severity="tip")
def western_letters() -> bytes:
    """Bytes that are no UTF-8."""
    table = history()
    city = [("Köln", "Łódź", "Orléans")[row % 3] for row in range(400)]
    return text_of_table(table | {"city": city}).encode("cp1250")


@evil("file_unreadable")
def wrong_delimiter() -> str:
    """Cells hung together by a sign that separates nothing."""
    return text_of_table(history(), "~")


@evil("table_ragged", rows=(3, 10))
def ragged_rows() -> str:
    """Rows with a cell too many or too few."""
    lines = text_of_table(history()).splitlines()
    lines[3] += ",more"
    lines[10] = lines[10].rpartition(",")[0]
    return "\n".join(lines) + "\n"


@evil("table_ragged", "visits")
def duplicate_headers() -> str:
    """Two columns of one name."""
    return text_of_table(history()).replace("employees", "visits", 1)


@evil("invalid_value", "source", rows=(2,))
def ten_million_characters_in_a_cell() -> Table:
    """A pasted document, or a quote never closed."""
    table = history(40)
    source = list(table["source"])
    source[1] = "x" * 10_000_000
    return table | {"source": source}


@evil("table_ragged", rows=(200,))
def a_quote_never_closed() -> str:
    """A quote that swallows the rest of the file."""
    lines = text_of_table(history()).splitlines()
    lines[200] = lines[200].replace(",", ',"', 1)
    return "\n".join(lines) + "\n"


@evil("file_unreadable")
def binary() -> bytes:
    """A workbook by another name."""
    return b"\xd0\xcf\x11\xe0" + bytes(range(256)) * 20


@evil("file_missing")
def absent() -> None:
    """No file of that name."""
    return


# --- strange, but to be learned from ------------------------------------------------------------


def strange_names(n: int = 240) -> Table:
    """Columns named like parts of leadml, like markup, like nothing, and in many scripts."""
    rng = np.random.default_rng(5)
    names = (
        "", "a.b", "created.weekday", "created_at", "row", "lead_id", "probability", "score",
        "stage", "base", "__class__", "Visits", "Größe", "e\u0301tat", "страна", "🦄", "a\nb",
        "  spaced  out ", 'he said "x", y', "<script>alert(1)</script>", "{{7*7}}", "=1+1",
        "\u202eabc", "x" * 3000,
    )  # fmt: skip
    table = history(n, dated=True)
    won = table.pop("won")
    return table | {name: rng.integers(1, 4, n).tolist() for name in names} | {"won": won}


def strange_values(n: int = 240) -> Table:
    """Columns that hold the ends of what numbers and texts can be."""
    rng = np.random.default_rng(6)

    def some(*cells: Any) -> list[Any]:
        return [cells[place] for place in rng.integers(0, len(cells), n)]

    table = history(n)
    return table | {
        "huge": some("1e308", "-1e308", "1e-308", 0, "5e-324"),
        "endless": some("1e400", "-1e400", 3, 4),
        "zeros": some("-0", "0", "-0.0", "1.5"),
        "long": [10**18 + row for row in range(n)],
        "longer": some(10**30, -(10**30), 5),
        "truths": some("true", "False", "TRUE", 1, 0),
        "once": ["x"] + [""] * (n - 1),
        "twice": ["1.5", "2.5"] + [""] * (n - 2),
        "levels": [f"k{row}" for row in range(90)] + ["z"] * (n - 90),
        "days": [20240100 + row for row in range(n)],
        "years": some(1999, 2005, 2024),
        "gaps": some("NA", "N/A", "null", "None", "nan", "x", "y"),
        "unsaid": some("Select", "-", "unknown", "?"),
        "control": some("\x01a", "\x07b", "\x1b[31mred"),
        "edge": some("\ufffe", "\U0010ffff", "\ud7ff"),
        "markup": some("<b>", "</script><img src=x onerror=alert(1)>", "{{7*7}}"),
        "postcode": some("007", "012", "099"),
        "constant": [7] * n,
    }
