"""Honest, exactly explained, instant lead scores.

``leadml.LeadScorer`` is the scikit-learn estimator; it is loaded on first use,
so that importing leadml costs nothing and a scorer never pays for learning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadml.training.estimator import LeadScorer as LeadScorer

__all__ = ["LeadScorer", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "LeadScorer":
        from leadml.training.estimator import LeadScorer

        return LeadScorer
    raise AttributeError(f"module 'leadml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
