"""BottleCRM's own settings, changed so that it runs on this machine without other servers.

Read inside BottleCRM's environment (``DJANGO_SETTINGS_MODULE=bottlecrm_settings``).
SQLite takes PostgreSQL's place, a folder takes Redis' place, and the tables are made
in one go instead of by migrations, which take minutes.

BottleCRM refuses webhooks to private addresses, which is right for a server on the
internet, and it has no setting for exceptions. ``CRM_WEBHOOK_NEAR`` names one address
that is let through here; everything else stays refused. With a bridge under a public
https name none of this is needed.
"""

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from crm.settings import *  # noqa: F403
from webhooks import ssrf

HERE = Path(os.environ["CRM_DIR"])
NEAR = os.environ.get("CRM_WEBHOOK_NEAR", "")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HERE / "crm.db",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL",
        },
    }
}


class NoMigrations:
    """Says of every app that it has no migrations."""

    def __contains__(self, app):
        """Any app."""
        return True

    def __getitem__(self, app):
        """None: make the tables as the models say."""


MIGRATION_MODULES = NoMigrations()

CELERY_BROKER_URL = "filesystem://"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(HERE / "queue"),
    "data_folder_out": str(HERE / "queue"),
    "control_folder": str(HERE / "control"),
    "polling_interval": 0.1,
}

guarded_parse, guarded_resolve = ssrf.parse, ssrf.resolve


def parse(url):
    """As the guard does, but for the one address let through."""
    parts = urlsplit(url.strip())
    if NEAR and f"{parts.scheme}://{parts.netloc}" == NEAR:
        return parts.scheme, parts.hostname, parts.port, parts.path or "/"
    return guarded_parse(url)


def resolve(host, port):
    """As the guard does, but for the one address let through."""
    near = urlsplit(NEAR)
    if NEAR and (host, port) == (near.hostname, near.port):
        return [ipaddress.ip_address(host)]
    return guarded_resolve(host, port)


ssrf.parse, ssrf.resolve = parse, resolve
