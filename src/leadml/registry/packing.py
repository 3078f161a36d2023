"""The model that MLflow keeps: the bundle, a script of three lines, a signature of columns."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import leadml
from leadml.leads.schema import Schema
from leadml.registry.bundle import Bundle
from leadml.registry.pyfunc import OUTPUT, SCRIPT
from leadml.registry.writing import copy_bundle

__all__ = ["BUNDLE_PATH", "pack"]

BUNDLE_PATH: Final = "artifacts/bundle"
"""Where the bundle lies inside the model."""

_REQUIREMENTS: Final = ("numpy>=2.0", "pandas>=2.2", "orjson>=3.10", "mlflow>=3.17,<4")


def pack(folder: Path, made: Bundle, run_id: str, model_id: str) -> None:
    """Write the MLflow model: our bundle, a script of three lines, a signature."""
    from mlflow.models import Model
    from mlflow.pyfunc import save_model

    with tempfile.TemporaryDirectory(prefix="leadml-") as scratch:
        script = Path(scratch) / "leadml_model.py"
        script.write_text(SCRIPT, encoding="utf-8")
        # a link would be followed by MLflow under another name
        bundle = Path(scratch) / "bundle"
        copy_bundle(made.folder, bundle, digest=made.digest)
        save_model(
            path=str(folder),
            mlflow_model=Model(run_id=run_id, model_id=model_id),
            python_model=str(script),
            artifacts={"bundle": str(bundle)},
            signature=_signature(made.scorecard.schema),
            pip_requirements=[f"leadml=={leadml.__version__}", *_REQUIREMENTS],
            metadata={"leadml_digest": made.digest},
        )


def _signature(schema: Schema) -> Any:
    """Inputs are optional and of any type: leadml reads them as it does everywhere else."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec
    from mlflow.types import Schema as Columns
    from mlflow.types.schema import AnyType

    inputs = [ColSpec(AnyType(), name, required=False) for name in sorted(schema.sources)]
    outputs = Columns([ColSpec(kind, name) for name, kind in OUTPUT.items()])
    return ModelSignature(inputs=Columns(inputs) if inputs else None, outputs=outputs)
