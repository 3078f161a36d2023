"""Public sets of real leads."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from leadml.datasets.unpack import unpacked
from leadml.datasets.write import atomic
from leadml.errors import CatalogUnknown, DigestMismatch, FileMissing, FileUnreadable

__all__ = ["CATALOG", "DataSet", "Part", "events_of_xes", "get", "named"]

Progress = Callable[[str, float, float], None]

TIMEOUT_S: Final = 30.0
_LARGEST: Final = 200 << 20
_CHUNK: Final = 1 << 18


@dataclass(frozen=True)
class Part:
    """One file as it is published.

    Parameters
    ----------
    name
        Its name in a mirror, where ``.gz`` may follow.
    sha256
        Of its unpacked bytes, so that a packed mirror and the publisher both verify.
    member
        Its name at the publisher, inside whatever archive.
    """

    name: str
    sha256: str
    member: str


@dataclass(frozen=True)
class DataSet:
    """What is known about a public set.

    Parameters
    ----------
    name, title, licence, page, citation
        Who it is and where from; ``page`` is for people.
    url
        What is downloaded; empty if the publisher offers no direct download.
    parts
        The files as published.
    files
        The files as written by :func:`get`, with their SHA-256.
    n_rows, target, positive, rate
        Rows of the first file, outcome column and value, share of conversions; ``target``
        is empty where a second table or the events tell the outcome.
    order
        What is known about time.
    doubtful
        Columns that may only be known after the outcome.
    train
        Options of ``leadml train`` after the first file; ``{folder}`` is where it lies.
    """

    name: str
    title: str
    licence: str
    page: str
    citation: str
    url: str
    parts: tuple[Part, ...]
    files: tuple[tuple[str, str], ...]
    n_rows: int
    target: str
    positive: str
    rate: float
    order: str
    doubtful: tuple[str, ...] = ()
    train: str = ""
    notes: tuple[str, ...] = field(default=())

    def command(self, folder: str | Path) -> str:
        """The command that trains on it, or an empty text for events.

        Parameters
        ----------
        folder
            Where :func:`get` wrote it.
        """
        if not self.train:
            return ""
        first = Path(folder) / self.files[0][0]
        return f"leadml train {first} {self.train.format(folder=folder)}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a list."""
        return {
            "name": self.name,
            "title": self.title,
            "licence": self.licence,
            "page": self.page,
            "citation": self.citation,
            "n_rows": self.n_rows,
            "rate": self.rate,
            "order": self.order,
            "files": [name for name, _ in self.files],
        }


_BANK: Final = "74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8"
_XEDUCATION: Final = "1426dffd94246b8c7f08d1080d9c04115a0c4b67eadcba1ed9d2fa10d3762802"
_OLIST_LEADS: Final = "5537753b7549ce4068e52e2402c29f2773c5375fc0575520ae8f3f301f666573"
_OLIST_DEALS: Final = "1433f402d8fff00ca167579de641d9525f6e846368958c166f699ef1b0c31f3d"
_BPIC2012: Final = "27769389401dba874da88b17437074044fc34e8e3f2ff6e8c9b72680feb9c4d7"

CATALOG: Final[dict[str, DataSet]] = {
    data.name: data
    for data in (
        DataSet(
            name="bank",
            title="Bank marketing: telephone calls that sold term deposits, Portugal 2008-2010",
            licence="CC BY 4.0",
            page="https://archive.ics.uci.edu/dataset/222/bank+marketing",
            citation="Moro, Cortez, Rita: Decision Support Systems 62 (2014) 22-31",
            url="https://archive.ics.uci.edu/static/public/222/bank+marketing.zip",
            parts=(Part("bank_additional_full.csv", _BANK, "bank-additional-full.csv"),),
            files=(("bank.csv", _BANK),),
            n_rows=41_188,
            target="y",
            positive="yes",
            rate=0.113,
            order="the rows are in order of time, May 2008 to November 2010; no timestamps",
            doubtful=("duration", "campaign"),
            train="--target y --positive yes --drop duration,campaign --order-by rows",
            notes=("12 rows stand twice", "the conversion rate jumps from 6 % to 31 % at the end"),
        ),
        DataSet(
            name="xeducation",
            title="X Education: leads of an online school, India",
            licence="none found: never redistribute",
            page="https://www.kaggle.com/datasets/amritachatterjee09/lead-scoring-dataset",
            citation="Kaggle, amritachatterjee09/lead-scoring-dataset",
            url="https://www.kaggle.com/api/v1/datasets/download/amritachatterjee09/lead-scoring-dataset",
            parts=(Part("xeducation_leads.csv", _XEDUCATION, "Lead Scoring.csv"),),
            files=(("xeducation.csv", _XEDUCATION),),
            n_rows=9_240,
            target="Converted",
            positive="1",
            rate=0.385,
            order="'Lead Number' grows with time; the file is newest first",
            doubtful=(
                "Tags",
                "Lead Quality",
                "Lead Profile",
                "Asymmetrique Activity Index",
                "Asymmetrique Profile Index",
                "Asymmetrique Activity Score",
                "Asymmetrique Profile Score",
                "Last Activity",
                "Last Notable Activity",
            ),
            train='--target Converted --order-by "Lead Number" --drop "Prospect ID,Lead Number,'
            "Tags,Lead Quality,Lead Profile,Asymmetrique Activity Index,"
            "Asymmetrique Profile Index,Asymmetrique Activity Score,"
            'Asymmetrique Profile Score,Last Activity,Last Notable Activity"',
            notes=("whether occupation and what matters most are filled at all tells the outcome",),
        ),
        DataSet(
            name="coil2000",
            title="COIL 2000: who buys a caravan insurance, Netherlands",
            licence="CC BY 4.0",
            page="https://archive.ics.uci.edu/dataset/125/insurance+company+benchmark+coil+2000",
            citation="van der Putten, van Someren: CoIL Challenge 2000, Sentient 2000",
            url="https://archive.ics.uci.edu/static/public/125/"
            "insurance+company+benchmark+coil+2000.zip",
            parts=(
                Part(
                    "coil2000_ticdata2000.tsv",
                    "f6a7fe083ccedb3776bc30f5e000bdd34bfd25f625d2b4672f84afa6b70cb178",
                    "ticdata2000.txt",
                ),
                Part(
                    "coil2000_ticeval2000.tsv",
                    "880f3b7dbc1174ddd10e7a20ef1e4bc3a8e345400d4b553744c5ef0c71493837",
                    "ticeval2000.txt",
                ),
                Part(
                    "coil2000_tictgts2000.tsv",
                    "42274a9b6d1ced5fcb35e2c103869060118ceaa7e5c5fac1a652e1f1a5806da8",
                    "tictgts2000.txt",
                ),
            ),
            files=(
                (
                    "train.csv",
                    "7782ec0823d6c51586d741337e2f77b1dccdb8d3daf992e5783cc8388d352bd6",
                ),
                ("eval.csv", "64234de29da3dfd23f07af8ff73c6d2b10e375011ebac61b3ab135ff9cf439fe"),
            ),
            n_rows=5_822,
            target="caravan",
            positive="1",
            rate=0.060,
            order="none",
            train="--target caravan --test {folder}/eval.csv",
            notes=("columns c00 and c04 are categories written as numbers",),
        ),
        DataSet(
            name="olist",
            title="Olist: sellers won by a marketplace, Brazil 2017-2018",
            licence="CC BY-NC-SA 4.0",
            page="https://www.kaggle.com/datasets/olistbr/marketing-funnel-olist",
            citation="Olist and Andre Sionek: Marketing Funnel by Olist, Kaggle 2018",
            url="https://www.kaggle.com/api/v1/datasets/download/olistbr/marketing-funnel-olist",
            parts=(
                Part(
                    "olist_marketing_qualified_leads_dataset.csv",
                    _OLIST_LEADS,
                    "olist_marketing_qualified_leads_dataset.csv",
                ),
                Part(
                    "olist_closed_deals_dataset.csv",
                    _OLIST_DEALS,
                    "olist_closed_deals_dataset.csv",
                ),
            ),
            files=(("leads.csv", _OLIST_LEADS), ("outcomes.csv", _OLIST_DEALS)),
            n_rows=8_000,
            target="",
            positive="",
            rate=0.105,
            order="first_contact_date, won_date",
            train="{folder}/outcomes.csv --created-at first_contact_date --outcome-at won_date "
            "--horizon-days 60",
            notes=(
                "every column of the deals is known only after the win",
                "wins are recorded only from 2017-12-05: use leads from 2018-01-01 on",
            ),
        ),
        DataSet(
            name="bpic2012",
            title="BPI Challenge 2012: events of loan applications, Netherlands",
            licence="4TU general terms of use",
            page="https://doi.org/10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f",
            citation="van Dongen: BPI Challenge 2012, 4TU.ResearchData",
            url="https://data.4tu.nl/file/533f66a4-8911-4ac7-8612-1235d65d1f37/"
            "3276db7f-8bee-4f2b-88ee-92dbffb5a893",
            parts=(Part("bpic2012_events.csv", _BPIC2012, "BPI_Challenge_2012.xes"),),
            files=(("events.csv", _BPIC2012),),
            n_rows=262_200,
            target="",
            positive="",
            rate=0.172,
            order="timestamps in milliseconds",
            notes=(
                "one row an event of 13,087 applications; converted: A_APPROVED appears",
                "every event after the moment of scoring is known only after",
            ),
        ),
    )
}


def named(name: str) -> DataSet:
    """One set of the catalogue.

    Raises
    ------
    CatalogUnknown
        If there is none of that name; the nearest one is named.
    """
    if name in CATALOG:
        return CATALOG[name]
    near = difflib.get_close_matches(name.lower(), CATALOG, n=1)
    raise CatalogUnknown(
        f"there is no data set '{name[:60]}'" + (f"; did you mean '{near[0]}'?" if near else ""),
        fix=f"choose one of: {', '.join(CATALOG)}",
    )


def get(
    name: str,
    into: str | Path = "data",
    mirror: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Bring a public set, checked by digest, as tidy files ready for training.

    Parameters
    ----------
    name
        A key of :data:`CATALOG`.
    into
        Folder; the files go to ``into / name``. Files that are there already and
        verify are left alone.
    mirror
        Folder that holds the published files, packed or not; without it they are
        downloaded from the publisher.
    progress
        Called with (step, done, total) in bytes; total 0 is unknown.

    Returns
    -------
    tuple of pathlib.Path
        The files, in the order of :attr:`DataSet.files`.

    Raises
    ------
    CatalogUnknown
        If there is no such set.
    FileMissing
        If the mirror lacks a file, or the publisher cannot be reached.
    DigestMismatch
        If bytes differ from the catalogue's; nothing is written then.
    """
    data = named(name)
    folder = Path(into) / name
    paths = tuple(folder / file for file, _ in data.files)
    if all(
        path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
        for path, (_, digest) in zip(paths, data.files, strict=True)
    ):
        return paths
    if mirror is None:
        published = _from_publisher(data, progress or _silent)
    else:
        published = [_from_mirror(part, Path(mirror)) for part in data.parts]
    for part, content in zip(data.parts, published, strict=True):
        found = hashlib.sha256(content).hexdigest()
        if found != part.sha256:
            raise DigestMismatch(
                f"'{part.name}' is not the file that was promised "
                f"(SHA-256 {found[:12]}…, expected {part.sha256[:12]}…)",
                fix="the publisher may have changed it; nothing was written",
            )
    made = _tidy(data, published)
    for path, content in zip(paths, made, strict=True):
        with atomic(path) as stream:
            stream.write(content)
    return paths


def _silent(step: str, done: float, total: float) -> None:
    """Progress that nobody watches."""


def _tidy(data: DataSet, published: list[bytes]) -> list[bytes]:
    """The published files as they are written."""
    if data.name != "coil2000":
        return published
    train, evaluation, outcomes = (content.split() for content in published)
    n_columns = 85
    rows = [train[i : i + n_columns + 1] for i in range(0, len(train), n_columns + 1)]
    held_out = [
        [*evaluation[i : i + n_columns], outcome]
        for i, outcome in zip(range(0, len(evaluation), n_columns), outcomes, strict=True)
    ]
    header = b",".join([*(b"c%02d" % i for i in range(n_columns)), b"caravan"])
    return [
        b"\n".join([header, *(b",".join(row) for row in part)]) + b"\n" for part in (rows, held_out)
    ]


# --- from a folder -------------------------------------------------------------------


def _from_mirror(part: Part, mirror: Path) -> bytes:
    for candidate in (f"{part.name}.gz", part.name, f"{part.member}.gz", part.member):
        path = mirror / candidate
        if path.is_file():
            return unpacked(path.read_bytes(), candidate)
    raise FileMissing(
        f"the mirror '{mirror}' has no file '{part.name}.gz'",
        fix="put it there, or unset LEADML_DATA_MIRROR to download from the publisher",
    )


# --- from the publisher ----------------------------------------------------------------


def _from_publisher(data: DataSet, progress: Progress) -> list[bytes]:
    archive = _download(data, progress)
    if data.name == "bpic2012":
        return [events_of_xes(unpacked(archive, "BPI_Challenge_2012.xes.gz"))]
    members = {Path(member).name: content for member, content in _members(archive, data.name)}
    missing = [part.member for part in data.parts if part.member not in members]
    if missing:
        raise FileMissing(
            f"the publisher's archive of '{data.name}' no longer holds '{missing[0]}'",
            fix=f"look at {data.page}, or {_BY_MIRROR}",
        )
    return [members[part.member] for part in data.parts]


_BY_MIRROR: Final = (
    "put the files into a folder and name it by the environment variable LEADML_DATA_MIRROR"
)


def _download(data: DataSet, progress: Progress) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - the catalogue holds https addresses only
        data.url, headers={"User-Agent": "leadml"}
    )
    step = f"downloading {data.name}"
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            total = float(response.headers.get("Content-Length") or 0)
            content = bytearray()
            while chunk := response.read(_CHUNK):
                content += chunk
                if len(content) > _LARGEST:
                    raise FileUnreadable(
                        f"the publisher's file of '{data.name}' is larger than expected",
                        fix=f"look at {data.page}, or {_BY_MIRROR}",
                    )
                progress(step, float(len(content)), total)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise FileMissing(
            f"'{data.name}' cannot be downloaded from {data.url} ({str(reason)[:100]})",
            fix=f"try again, or take it from {data.page}, {_BY_MIRROR}",
        ) from error
    return bytes(content)


def _members(archive: bytes, name: str, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Files of a zip archive and of the archives in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sum(member.file_size for member in opened.infolist()) > _LARGEST:
                raise FileUnreadable(
                    f"the publisher's archive of '{name}' is larger than expected", fix=_BY_MIRROR
                )
            for member in opened.namelist():
                content = opened.read(member)
                yield member, content
                if member.endswith(".zip") and depth == 0:
                    yield from _members(content, name, depth + 1)
    except zipfile.BadZipFile as error:
        raise FileUnreadable(
            f"what the publisher sent for '{name}' is no archive",
            fix=f"try again later, or {_BY_MIRROR}",
        ) from error


_XES_COLUMNS: Final = (
    "case_id",
    "reg_date",
    "amount_req",
    "activity",
    "lifecycle",
    "resource",
    "timestamp",
)
_OF_TRACE: Final = {"concept:name": "case_id", "REG_DATE": "reg_date", "AMOUNT_REQ": "amount_req"}
_OF_EVENT: Final = {
    "concept:name": "activity",
    "lifecycle:transition": "lifecycle",
    "org:resource": "resource",
    "time:timestamp": "timestamp",
}


def events_of_xes(content: bytes) -> bytes:
    """Turn an event log in XES (IEEE 1849) into CSV, one row an event, in the log's order.

    Raises
    ------
    FileUnreadable
        If it is no XML.
    """
    rows = io.StringIO(newline="")
    writer = csv.DictWriter(rows, _XES_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(content)):  # noqa: S314 - by digest
            if element.tag.rpartition("}")[2] != "trace":
                continue
            trace = _values(element, _OF_TRACE)
            for event in element:
                if event.tag.rpartition("}")[2] == "event":
                    writer.writerow(trace | _values(event, _OF_EVENT))
            element.clear()
    except ElementTree.ParseError as error:
        raise FileUnreadable(
            "the publisher's event log is no XES file", fix=f"try again later, or {_BY_MIRROR}"
        ) from error
    return rows.getvalue().encode()


def _values(element: ElementTree.Element, columns: dict[str, str]) -> dict[str, str]:
    return {
        columns[child.get("key", "")]: child.get("value", "")
        for child in element
        if child.get("key") in columns
    }
