"""leadml.api.rates: nobody asks more often than allowed, and everybody is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadml.api.rates import MOST_CALLERS, Rates
from leadml.settings import Settings
from leadml.store import Store
from tests import hand_made, held
from tests.http_server import serve

LEAD = {"lead": hand_made.leads(1)[0]}
LIMIT = 12


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A server that lets each of two keys ask twelve times a second."""
    folder: Path = tmp_path_factory.mktemp("limited")
    url = f"sqlite:///{folder / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    keys = [store.create_key(name, ["score", "read"])[0] for name in ("a", "b")]
    store.close()
    settings = Settings(database_url=url, max_jobs=0, rate_limit=LIMIT, tracking_uri="")
    with serve(settings, held.serving()) as address:
        yield address, keys


@given(
    st.integers(1, 20),
    st.lists(st.floats(0, 0.4, allow_nan=False, allow_subnormal=False), max_size=200),
)
def test_no_second_holds_more(per_second: int, pauses: list[float]) -> None:
    """Whenever a second begins, no more than the limit was let in; waiting as told suffices."""
    now = 0.0
    rates = Rates(per_second, clock=lambda: now)
    let_in: list[float] = []
    for pause in pauses:
        now += pause
        if rates.wait_s("a") <= 0:
            rates.take("a")
            let_in.append(now)
    for at in let_in:
        assert sum(at <= other < at + 1 - 1e-9 for other in let_in) <= per_second
    now += max(0.0, rates.wait_s("a")) + 1e-9
    assert rates.wait_s("a") <= 0


def test_callers_do_not_share_a_limit_and_few_are_kept() -> None:
    """Each caller has its own second; the oldest of very many are forgotten."""
    rates = Rates(1, clock=lambda: 0.0)
    for number in range(MOST_CALLERS + 10):
        assert rates.wait_s(f"caller {number}") <= 0
        rates.take(f"caller {number}")
    assert len(rates._taken) == MOST_CALLERS
    assert rates.wait_s(f"caller {MOST_CALLERS + 9}") == 1.0


def test_at_most_one_percent_more_passes_under_load(limited: tuple[str, list[str]]) -> None:
    """Two keys that ask as fast as they can get their twelve a second each, never 1 % more."""
    address, keys = limited
    seconds = 2.5

    def flood(key: str) -> list[float]:
        let_in = []
        with httpx.Client(base_url=address, headers={"X-API-Key": key}) as client:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                answer = client.post("/v1/score?record=false", json=LEAD)
                if answer.status_code == 200:
                    let_in.append(time.monotonic())
                else:
                    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        return let_in

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(flood, [keys[0], keys[0], keys[1], keys[1]]))
    for let_in in (sorted(found[0] + found[1]), sorted(found[2] + found[3])):
        # answers may bunch up on their way: each window is as long as the whole run
        assert len(let_in) <= 1.01 * LIMIT * (let_in[-1] - let_in[0] + 1)
        assert len(let_in) >= LIMIT  # nobody is kept from its share


def test_headers_tell_what_is_left(limited: tuple[str, list[str]]) -> None:
    """Every answer to a key names the policy and the rest; 429 says when to come back."""
    address, keys = limited
    seen: list[tuple[int, str]] = []
    with httpx.Client(base_url=address, headers={"X-API-Key": keys[0]}) as client:
        for _ in range(10):  # again where the machine was too busy to be fast
            time.sleep(1.05)
            seen.clear()
            for _ in range(LIMIT + 1):
                answer = client.post("/v1/score?record=false", json=LEAD)
                assert answer.headers["ratelimit-policy"] == f'"key";q={LIMIT};w=1'
                seen.append((answer.status_code, answer.headers["ratelimit"]))
            if answer.status_code == 429:
                break
        assert answer.headers["retry-after"] == "1"
        assert seen[0] == (200, f'"key";r={LIMIT - 1};t=1')
        assert seen[-1] == (429, '"key";r=0;t=1')
        time.sleep(float(answer.headers["retry-after"]))
        assert client.get("/v1/model").status_code == 200
    assert "ratelimit" not in httpx.get(f"{address}/health/live").headers


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    """By default no answer carries the headers."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    key, _ = store.create_key("a", ["read"])
    store.close()
    with serve(Settings(database_url=url, max_jobs=0, tracking_uri=""), held.serving()) as address:
        answer = httpx.get(f"{address}/v1/model", headers={"X-API-Key": key})
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
