"""Serving: follows the champion, swaps it whole, keeps the old one when in doubt."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from leadml.errors import BundleRejected, NoModel
from leadml.service.answers import answer
from leadml.service.serving import Served, Serving
from leadml.settings import Settings
from tests import hand_made, held

OLD, NEW = held.bundle(-2.0), held.bundle(-1.0)
LEAD = hand_made.leads(1)[0]


def test_nothing_served_yet() -> None:
    """Without a champion there is no model, and the sentence says how to get one."""
    serving = Serving("leads", held.Held())
    assert not serving.refresh()
    with pytest.raises(NoModel) as caught:
        serving.current()
    assert "leadml train" in (caught.value.fix or "")
    assert serving.degraded is None


def test_moved_champion_is_taken() -> None:
    """A moved champion is served after the next look; one that did not move costs nothing."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    assert serving.refresh()
    before = serving.current()
    assert not serving.refresh()
    assert serving.current() is before
    pointer.move("2", NEW)
    assert serving.refresh()
    assert serving.current().versions == ("leads@2", "1")


def test_failure_keeps_the_old() -> None:
    """When looking fails the old model answers and degraded says why, until it works again."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    serving.refresh()
    pointer.fail = BundleRejected("golden rows differ")
    assert not serving.refresh()
    assert serving.current().version == "1"
    assert serving.degraded == "bundle_rejected: golden rows differ"
    pointer.fail = None
    serving.refresh()
    assert serving.degraded is None


def test_pointer_tells_why_it_is_behind() -> None:
    """What the pointer itself knows of its troubles is passed on."""
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    pointer.degraded = "the registry does not answer"
    assert serving.degraded == "the registry does not answer"


def test_an_answer_is_never_mixed() -> None:
    """While the champion moves back and forth, each answer's figures are its version's own."""
    by_base = {"1": Served.of("leads", "1", OLD), "2": Served.of("leads", "2", NEW)}
    expected = {
        f"leads@{version}": answer(one.scorer, one.policy, one.versions, "x", LEAD)
        for version, one in by_base.items()
    }
    pointer = held.Held("1", OLD)
    serving = Serving("leads", pointer)
    serving.refresh()
    wrong: list[object] = []
    seen: set[str] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            one = serving.current()
            found = answer(one.scorer, one.policy, one.versions, "x", LEAD)
            seen.add(found["model_version"])
            if found != expected[found["model_version"]]:
                wrong.append(found)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        pointer.move(*(("2", NEW) if turn % 2 == 0 else ("1", OLD)))
        assert serving.refresh()
        time.sleep(0.002)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == set(expected)


def test_settings_name_the_champion(tmp_path: Path) -> None:
    """The environment's folder and name are followed; an empty folder is no fault."""
    tracking_uri = f"sqlite:///{tmp_path / 'none.db'}"
    serving = Serving.of(Settings(models_dir=str(tmp_path), tracking_uri=tracking_uri))
    assert not serving.refresh()
    with pytest.raises(NoModel):
        serving.current()
    serving.close()
