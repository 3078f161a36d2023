"""Commands on the keys that sign models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadml.cli.console import AsJson, failing_in_one_sentence, group, say, tell

__all__ = ["app"]

app = group("Make the keys that sign models.")


@app.command("create")
def create(
    output: Annotated[Path, typer.Option(help="Folder for the two key files.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make a pair of keys: the private one signs trainings, the public one verifies them.

    Only their owner can read the files; a key that is there already is never replaced.

    \b
    Examples:
      leadml signing-key create --output keys
      LEADML_SIGNING_KEY=keys/leadml-signing.key leadml train leads.csv --target won
      LEADML_VERIFY_KEY=keys/leadml-signing.pub leadml serve
    """
    with failing_in_one_sentence(as_json):
        from leadml.registry.signing import PublicKeys, create_keys

        private, public = create_keys(output)
        fingerprint = PublicKeys.of(public).fingerprints[0]
        made = {"private": str(private), "public": str(public), "fingerprint": fingerprint}
        tell(made, _show, as_json)


def _show(made: dict[str, Any]) -> None:
    say(f"Private key, for the machine that trains:  LEADML_SIGNING_KEY={made['private']}")
    say(f"Public key, for every server:              LEADML_VERIFY_KEY={made['public']}")
    say(
        f"Fingerprint {made['fingerprint']}. Keep the private key away from MLflow and the servers."
    )
