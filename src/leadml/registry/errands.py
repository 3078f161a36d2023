"""Work with MLflow done in a child process, for servers that never import it.

``python -m leadml.registry.errands fetch --models-dir DIR --name NAME VERSION`` fetches a
version from the registry at ``MLFLOW_TRACKING_URI`` and verifies it; ``promote VERSION``
and ``rollback`` move the champion, ``tell`` writes down which versions there are. The last
line on stderr says what went wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from leadml.errors import LeadmlError
from leadml.registry.signing import PublicKeys
from leadml.registry.tracking import Registry

__all__ = ["main"]

_ERRANDS: Final = {
    "fetch": "bring a version from MLflow into the models folder",
    "promote": "make a version the champion",
    "rollback": "make the champion before this one champion again",
    "tell": "write down which versions there are",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one errand; returns the exit code."""
    parser = argparse.ArgumentParser(prog="leadml.registry.errands")
    errands = parser.add_subparsers(dest="errand", required=True)
    for name, said in _ERRANDS.items():
        errand = errands.add_parser(name, help=said)
        errand.add_argument("--models-dir", type=Path, required=True)
        errand.add_argument("--name", required=True)
        errand.add_argument("--verify-key", help="file of the public keys that count")
        if name in ("fetch", "promote"):
            errand.add_argument("version")
        if name in ("promote", "rollback"):
            errand.add_argument("--reason", default="", help="kept with the version")
    given = parser.parse_args(arguments)
    try:
        uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        keys = PublicKeys.of(given.verify_key) if given.verify_key else None
        registry = Registry(uri, given.models_dir, keys=keys)
        if given.errand == "fetch":
            registry.fetch(given.name, given.version)
        elif given.errand == "promote":
            registry.promote(given.name, given.version, given.reason)
        elif given.errand == "rollback":
            registry.rollback(given.name, given.reason)
        else:
            registry.tell(given.name)
    except LeadmlError as error:
        sys.stderr.write(error.sentence() + "\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
