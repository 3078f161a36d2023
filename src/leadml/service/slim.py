"""What a slim installation cannot do, refused in one sentence."""

from __future__ import annotations

from importlib.util import find_spec

from leadml.errors import ExtraMissing

__all__ = ["need_training"]


def need_training() -> None:
    """See that the learning part of leadml is installed.

    Raises
    ------
    ExtraMissing
        It is not.
    """
    gone = [name for name in ("pandas", "sklearn", "lightgbm", "mlflow") if not find_spec(name)]
    if gone:
        raise ExtraMissing(
            f"this needs the learning part of leadml ({', '.join(gone)} not installed)",
            fix="pip install 'leadml[train]'",
        )
