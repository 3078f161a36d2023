"""Public sets brought from a mirror folder or from a publisher."""

import dataclasses
import gzip
import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pandas as pd
import pytest

from leadml.datasets import catalog
from leadml.datasets.catalog import CATALOG, events_of_xes, get, named
from leadml.datasets.read import read_table
from leadml.errors import CatalogUnknown, DigestMismatch, FileMissing, FileUnreadable


@pytest.mark.parametrize("name", list(CATALOG))
def test_every_set_from_the_mirror(mirror: Path, tmp_path: Path, name: str):
    """Each set arrives verified, with the rows, columns and conversion rate of its entry."""
    data = named(name)
    paths = get(name, tmp_path, mirror)
    assert [path.relative_to(tmp_path / name).name for path in paths] == [f for f, _ in data.files]
    for path, (_, digest) in zip(paths, data.files, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    frame = read_table(paths[0])
    assert len(frame) == data.n_rows
    assert set(data.doubtful) <= set(frame.columns)
    if data.target:
        converted = (frame[data.target].astype(str) == data.positive).mean()
        assert converted == pytest.approx(data.rate, abs=0.001)


def test_coil_has_names_and_held_out_outcomes(mirror: Path, tmp_path: Path):
    """The contest's bare numbers get a header, and its held-out rows their outcomes."""
    train, held_out = map(read_table, get("coil2000", tmp_path, mirror))
    assert train.columns.tolist() == held_out.columns.tolist()
    assert train.columns.tolist()[:2] == ["c00", "c01"]
    assert (len(held_out), int(held_out["caravan"].sum())) == (4000, 238)


def test_what_is_there_is_left_alone(mirror: Path, tmp_path: Path):
    """A second call touches nothing and needs no source; a damaged file is replaced."""
    (path,) = get("bank", tmp_path, mirror)
    before = path.stat().st_mtime_ns
    assert get("bank", tmp_path, tmp_path / "no mirror") == (path,)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"damaged")
    get("bank", tmp_path, mirror)
    assert len(read_table(path)) == 41_188


def test_plain_files_in_the_mirror(mirror: Path, tmp_path: Path):
    """A mirror may hold the publisher's own unpacked file under its own name."""
    own = tmp_path / "mirror"
    own.mkdir()
    packed = (mirror / "bank_additional_full.csv.gz").read_bytes()
    (own / "bank-additional-full.csv").write_bytes(gzip.decompress(packed))
    assert get("bank", tmp_path, own)[0].exists()


def test_wrong_bytes_write_nothing(tmp_path: Path):
    """One changed byte is refused and leaves no file behind."""
    (tmp_path / "bank_additional_full.csv").write_text("age;y\n1;yes\n")
    with pytest.raises(DigestMismatch) as caught:
        get("bank", tmp_path / "data", tmp_path)
    assert caught.value.fix
    assert not (tmp_path / "data").exists()


def test_unknown_names_and_empty_mirrors(tmp_path: Path):
    """A misspelt name is answered by the nearest one, an empty mirror by the file it lacks."""
    with pytest.raises(CatalogUnknown, match="did you mean 'coil2000'"):
        named("coil200")
    with pytest.raises(FileMissing, match=r"bank_additional_full\.csv\.gz"):
        get("bank", tmp_path, tmp_path)


# --- a publisher on the loopback ------------------------------------------------------


@pytest.fixture
def publisher() -> Iterator[dict[str, bytes]]:
    """A real HTTP server; what is put into the dictionary is served at /NAME."""
    files: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path.strip("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    files["address"] = f"http://127.0.0.1:{server.server_port}".encode()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield files
    server.shutdown()
    server.server_close()


def serve(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], name: str, content: bytes
) -> None:
    """Let the publisher of a set serve ``content``."""
    files["archive"] = content
    url = f"{files['address'].decode()}/archive"
    monkeypatch.setitem(catalog.CATALOG, name, dataclasses.replace(CATALOG[name], url=url))


def archive(**members: bytes) -> bytes:
    """A zip archive; __ in a name stands for a dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr("folder/" + name.replace("__", "."), content)
    return packed.getvalue()


def test_from_the_publisher(mirror, tmp_path, monkeypatch, publisher):
    """The publisher's archive in an archive is downloaded, opened and verified, with progress."""
    content = gzip.decompress((mirror / "bank_additional_full.csv.gz").read_bytes())
    inner = archive(
        **{"bank-additional-full__csv": content, "bank-additional-names__txt": b"words"}
    )
    serve(monkeypatch, publisher, "bank", archive(**{"bank-additional__zip": inner}))
    seen: list[tuple[str, float, float]] = []
    (path,) = get("bank", tmp_path, progress=lambda *step: seen.append(step))
    assert len(read_table(path)) == 41_188
    assert seen[-1][1] == seen[-1][2] == len(publisher["archive"])


def test_event_logs_are_translated(mirror: Path):
    """The publisher's form of the log becomes the very bytes of the mirror's table."""
    whole = gzip.decompress((mirror / "bpic2012_events.csv.gz").read_bytes()).decode()
    text = "".join(whole.splitlines(keepends=True)[:3000])
    rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    lines = ['<?xml version="1.0"?><log xmlns="http://www.xes-standard.org/">']
    for _, trace in rows.groupby("case_id", sort=False):
        first = trace.iloc[0]
        lines.append(
            f'<trace><date key="REG_DATE" value={quoteattr(first.reg_date)}/>'
            f'<string key="concept:name" value={quoteattr(first.case_id)}/>'
            f'<string key="AMOUNT_REQ" value={quoteattr(first.amount_req)}/>'
        )
        for event in trace.itertuples():
            who = f'<string key="org:resource" value="{event.resource}"/>' if event.resource else ""
            lines.append(
                f'<event>{who}<string key="lifecycle:transition" value="{event.lifecycle}"/>'
                f'<string key="concept:name" value={quoteattr(event.activity)}/>'
                f'<date key="time:timestamp" value="{event.timestamp}"/></event>'
            )
        lines.append("</trace>")
    content = "".join([*lines, "</log>"]).encode()
    assert events_of_xes(content).decode() == text


def test_publishers_that_fail(tmp_path, monkeypatch, publisher):
    """A page instead of an archive, a changed archive, a closed port: each names the mirror."""
    serve(monkeypatch, publisher, "bank", b"<html>please sign in</html>")
    with pytest.raises(FileUnreadable, match="no archive"):
        get("bank", tmp_path)
    serve(monkeypatch, publisher, "bank", archive(other__csv=b"a,b"))
    with pytest.raises(FileMissing, match="no longer holds"):
        get("bank", tmp_path)
    serve(monkeypatch, publisher, "bank", archive(**{"bank-additional-full__csv": b"a;b\n"}))
    with pytest.raises(DigestMismatch):
        get("bank", tmp_path)
    closed = dataclasses.replace(CATALOG["bank"], url="http://127.0.0.1:9/bank.zip")
    monkeypatch.setitem(catalog.CATALOG, "bank", closed)
    with pytest.raises(FileMissing) as caught:
        get("bank", tmp_path)
    assert "LEADML_DATA_MIRROR" in caught.value.sentence()
    assert not list(tmp_path.iterdir())


def test_no_log_at_all():
    """Something else than XML is refused, not half translated."""
    with pytest.raises(FileUnreadable):
        events_of_xes(b"case_id,activity\n")
