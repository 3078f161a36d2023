"""Answers of receivers, and calls that got none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["MOST_READ", "CallFailed", "Reply", "retry_after_s"]

MOST_READ: Final = 1_048_576
"""Bytes of an answer that are read."""


class CallFailed(Exception):  # not of leadml's tree: it never leaves this room
    """A call that got no answer, in words that name no address.

    Parameters
    ----------
    why
        What went wrong.
    permanent
        True where it will go wrong again, such as a refused address.
    sent
        False where nothing was tried, so that it counts for no attempt.
    """

    def __init__(self, why: str, *, permanent: bool = False, sent: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.permanent = permanent
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered.

    Parameters
    ----------
    status
        HTTP status.
    headers
        Names in lower case.
    body
        At most :data:`MOST_READ` bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status lies in 200–299."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text, odd bytes replaced."""
        return self.body.decode("utf-8", "replace")


def retry_after_s(reply: Reply, *, most_s: float = 86_400.0) -> float | None:
    """The seconds that a receiver asks to be left alone; None where it does not say.

    Examples
    --------
    >>> retry_after_s(Reply(429, {"retry-after": "7"}, b""))
    7.0
    """
    said = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), most_s) if seconds == seconds else None
