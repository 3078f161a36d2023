"""Signatures that receivers verify with any library of the Standard Webhooks specification."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

__all__ = ["signed_headers"]


def signed_headers(
    secrets: Sequence[str], message_id: str, at: datetime, body: str
) -> dict[str, str]:
    """The three headers of a message; one signature for each secret that is active.

    Parameters
    ----------
    secrets
        ``whsec_…``, newest first; two while one is rotated.
    message_id
        The same each time the message is sent.
    at
        When this attempt is made, aware UTC.
    body
        Exactly as it is sent.
    """
    at = at.astimezone(UTC)
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
