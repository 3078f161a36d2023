"""Work with MLflow done in a child process, for servers that never import it.

``python -m leadml.registry.errands fetch --models-dir DIR --name NAME VERSION`` fetches a
version from the registry at ``MLFLOW_TRACKING_URI`` and verifies it; the last line on
stderr says what went wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from leadml.errors import LeadmlError
from leadml.registry.signing import PublicKeys
from leadml.registry.tracking import Registry

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one errand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="leadml.registry.errands")
    errands = parser.add_subparsers(dest="errand", required=True)
    fetch = errands.add_parser("fetch", help="bring a version from MLflow into the models folder")
    fetch.add_argument("--models-dir", type=Path, required=True)
    fetch.add_argument("--name", required=True)
    fetch.add_argument("--verify-key", help="file of the public keys that count")
    fetch.add_argument("version")
    given = parser.parse_args(arguments)
    try:
        uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        keys = PublicKeys.of(given.verify_key) if given.verify_key else None
        Registry(uri, given.models_dir, keys=keys).fetch(given.name, given.version)
    except LeadmlError as error:
        sys.stderr.write(error.sentence() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
