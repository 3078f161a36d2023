"""The door: keys looked up beside the loop, used for a moment, never longer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leadml.api import door as doors
from leadml.api.door import Door, caller_of
from leadml.errors import KeyInvalid, Overloaded, StoreUnavailable, Unauthorized
from leadml.service.memory import Memory
from leadml.settings import Settings


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """An open memory that lets scores pass while its database is away."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    found = Memory(Settings(database_url=url, score_without_store=True))
    found.open()
    yield found
    found.close()


def asking(text: str) -> dict[str, Any]:
    """A request with a key."""
    return {"headers": [(b"x-api-key", text.encode())]}


def count_looks(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys that were looked up in the database, as it happens."""
    looked: list[str] = []
    store = memory.require()
    verify = store.verify_key

    def noted(text: str) -> Any:
        looked.append(text)
        return verify(text)

    monkeypatch.setattr(store, "verify_key", noted)
    return looked


def test_known_key_is_not_looked_up_again(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred requests of one key cost one look; the caller is known by its name."""
    text, key = memory.require().create_key("crm", ["score"])
    looked = count_looks(memory, monkeypatch)

    async def scene() -> None:
        door = Door(memory)
        for _ in range(100):
            scope = asking(text)
            await door.admit(scope, "score")
            assert caller_of(scope).name == "crm"
            assert caller_of(scope).prefix == key.prefix

    asyncio.run(scene())
    assert len(looked) == 1


def test_key_is_looked_up_again_before_it_is_stale(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its answer ages, a key is asked for again beside the requests, by one of them."""
    text, _ = memory.require().create_key("crm", ["score"])
    looked = count_looks(memory, monkeypatch)
    monkeypatch.setattr(doors, "AHEAD_S", 0.0)

    async def scene() -> None:
        door = Door(memory)
        await door.admit(asking(text), "score")
        for _ in range(5):
            await door.admit(asking(text), "score")
        await asyncio.sleep(0.2)

    asyncio.run(scene())
    assert len(looked) == 2


def test_what_cannot_be_a_key_costs_no_look(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text without the form of a key is refused without asking the database."""
    looked = count_looks(memory, monkeypatch)

    async def scene() -> None:
        door = Door(memory)
        with pytest.raises(KeyInvalid):
            await door.admit(asking("secret"), "score")
        with pytest.raises(Unauthorized):
            await door.admit({"headers": []}, "score")

    asyncio.run(scene())
    assert looked == []


def test_end_of_a_key_is_kept_to_the_moment(memory: Memory) -> None:
    """A key that ends is refused from then on, though it was looked up a moment ago."""
    ends = datetime.now(UTC) + timedelta(seconds=0.3)
    text, _ = memory.require().create_key("crm", ["score"], expires_at=ends)

    async def scene() -> None:
        door = Door(memory)
        await door.admit(asking(text), "score")
        await asyncio.sleep(0.35)
        with pytest.raises(KeyInvalid):
            await door.admit(asking(text), "score")

    asyncio.run(scene())


def test_known_key_opens_while_the_database_is_away(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the option, a key used within the hour goes on; an unknown one waits for its store."""
    store = memory.require()
    text, _ = store.create_key("crm", ["score"])
    other, _ = store.create_key("other", ["score"])

    def away(_: str) -> Any:
        raise StoreUnavailable("away")

    async def scene() -> None:
        door = Door(memory)
        await door.admit(asking(text), "score")
        monkeypatch.setattr(store, "verify_key", away)
        monkeypatch.setattr(doors, "FRESH_S", 0.0)
        await door.admit(asking(text), "score")
        with pytest.raises(StoreUnavailable):
            await door.admit(asking(other), "score")
        monkeypatch.setattr(doors, "STALE_S", 0.0)
        with pytest.raises(StoreUnavailable):
            await door.admit(asking(text), "score")

    asyncio.run(scene())


def test_crowd_of_strangers_holds_up_nobody_known(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While more keys are tried than may wait, one that was good a moment ago goes on."""
    text, _ = memory.require().create_key("crm", ["score"])
    prefix, _, secret = text.rpartition("_")
    done = threading.Event()

    async def scene() -> list[BaseException | None]:
        door = Door(memory)
        with ThreadPoolExecutor(1) as door.pool, ThreadPoolExecutor(1) as door.strangers:
            await door.admit(asking(text), "score")
            monkeypatch.setattr(doors, "FRESH_S", 0.0)
            door.strangers.submit(done.wait)
            crowd = [
                asyncio.create_task(door.admit(asking(f"{prefix}_{n:0{len(secret)}}"), "score"))
                for n in range(doors.MOST_LOOKS + 20)
            ]
            for _ in range(5):
                await door.admit(asking(text), "score")
            done.set()
            return await asyncio.gather(*crowd, return_exceptions=True)

    kinds = [type(refused) for refused in asyncio.run(scene())]
    assert kinds.count(Overloaded) == 20
    assert kinds.count(KeyInvalid) == doors.MOST_LOOKS
