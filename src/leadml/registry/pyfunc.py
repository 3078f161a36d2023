"""Scores of a frame as MLflow and Spark users load them.

What is logged is the bundle and a script of three lines (:data:`SCRIPT`); no object of
leadml is pickled, and the bundle is verified again when MLflow loads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leadml.errors import ColumnMissing
from leadml.leads.values import header_of
from leadml.leads.vocabulary import Stage
from leadml.registry.bundle import Bundle, read_bundle
from leadml.scorecard import Scorer, digits4

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OUTPUT", "SCRIPT", "FrameScorer", "python_model"]

SCRIPT: Final = '''"""Loads the leadml bundle beside this script; needs leadml, holds no model."""

from mlflow.models import set_model

from leadml.registry.pyfunc import python_model

set_model(python_model())
'''
"""The model as code: MLflow runs it when it loads the model."""

OUTPUT: Final = {
    "probability": "double",
    "log_odds": "double",
    "score": "long",
    "grade": "string",
    "proposed_stage": "string",
    "stage": "string",
}
"""Columns of the answer with MLflow's names of their types."""

_SHOWN: Final = 20


class FrameScorer:
    """Scores frames with a bundle, to the digits of every other surface."""

    def __init__(self, bundle: Bundle) -> None:
        self._scorer = Scorer(bundle.scorecard)
        self._policy = bundle.policy

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Score each row.

        Parameters
        ----------
        frame
            Columns by the names of the training table; those absent count as missing,
            others are ignored.

        Returns
        -------
        pandas.DataFrame
            The columns of :data:`OUTPUT`, the index of ``frame``: ``probability`` with four
            significant digits, ``log_odds`` with four decimals, ``score`` 0 to 100.
            ``stage`` is ``proposed_stage``, ``mql`` at most: people qualify the rest.

        Raises
        ------
        ColumnMissing
            Not one column belongs to the model.
        InvalidValue
            Text where a number belongs.
        """
        import pandas as pd

        sources = self._scorer.schema.sources
        if not sources <= set(frame.columns):
            frame = frame.rename(columns=header_of)  # as files are read
        if sources and sources.isdisjoint(frame.columns):
            names = ", ".join(sorted(sources)[:_SHOWN])
            raise ColumnMissing(
                "no column of this table is known to the model",
                fix=f"name the columns as in the training table: {names}",
            )
        batch = self._scorer.frame(frame)
        probability = batch.probability.tolist()
        proposed = [self._policy.stage_of(p) for p in probability]
        return pd.DataFrame(
            {
                "probability": [digits4(p) for p in probability],
                "log_odds": [round(x, 4) for x in batch.log_odds.tolist()],
                "score": batch.score,
                "grade": [self._policy.grade_of(p) for p in probability],
                "proposed_stage": [str(stage) for stage in proposed],
                "stage": [str(Stage.MQL if s is Stage.SQL else s) for s in proposed],
            },
            index=frame.index,
        )


def python_model() -> Any:
    """The ``mlflow.pyfunc.PythonModel`` that finds its bundle among its artefacts."""
    import pandas as pd
    from mlflow.pyfunc import PythonModel

    def load_context(self: Any, context: Any) -> None:
        self.frames = FrameScorer(read_bundle(Path(context.artifacts["bundle"])))

    def predict(self: Any, context: Any, model_input: Any, params: Any = None) -> Any:
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(model_input)
        return self.frames.predict(frame)

    # MLflow reads hints as objects, warns without any, and guesses no signature from this one
    predict.__annotations__ = {"model_input": pd.DataFrame}
    methods = {"load_context": load_context, "predict": predict, "__module__": __name__}
    model = type("LeadmlModel", (PythonModel,), methods)
    return model()
