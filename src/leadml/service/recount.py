"""Proposals of past weeks, counted anew by lines that were drawn later."""

from __future__ import annotations

from datetime import datetime, timedelta

from leadml.monitoring.room import WEEKS_LOOKED, monday
from leadml.store import Store

__all__ = ["recount"]


def recount(store: Store, line: float, now: datetime) -> list[int]:
    """Leads whose scores would first have reached a line in each of the last whole weeks.

    What people did meanwhile is left out of account.

    Parameters
    ----------
    store
        Remembers the scores.
    line
        A chance in [0, 1].
    now
        The present, aware.

    Returns
    -------
    list
        One number a week (Monday to Sunday, UTC), the oldest first; empty where nothing was
        scored in the first of them or before.
    """
    until = monday(now)
    begin = until - WEEKS_LOOKED * timedelta(days=7)
    first = store.first_decision()
    if first is None or first >= begin + timedelta(days=7):
        return []
    weeks = [0] * WEEKS_LOOKED
    for moment in store.glances.crossed(line, since=begin, until=until):
        weeks[(moment - begin) // timedelta(days=7)] += 1
    return weeks
