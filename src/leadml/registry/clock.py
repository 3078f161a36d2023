"""Moments as the registry writes them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["spelled"]


def spelled(moment: datetime) -> str:
    """An aware moment in UTC, to the second, ISO 8601.

    >>> spelled(datetime(2026, 11, 20, 8, 30, tzinfo=UTC))
    '2026-11-20T08:30:00Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
