"""The one door by which commands enter the rooms of leadml."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

from leadml.settings import Settings

if TYPE_CHECKING:
    from leadml.service.data import Data
    from leadml.service.hindsight import Hindsight
    from leadml.service.learning import Learning
    from leadml.service.lessons import Lessons
    from leadml.service.models import Models
    from leadml.service.policies import Policies
    from leadml.service.scoring import Scoring

__all__ = ["Leadml"]


class Leadml:
    """Everything leadml does, for one set of settings.

    What rooms answer is plain data (what ``--json`` prints); what they raise are errors of
    ``leadml.errors``. Making it reads nothing, and a room is imported once it is entered:
    a command pays for what it uses.

    Parameters
    ----------
    settings
        Those of the environment if left out.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @cached_property
    def data(self) -> Data:
        """Public and simulated histories."""
        from leadml.service.data import Data

        return Data(self.settings)

    @cached_property
    def learning(self) -> Learning:
        """Trainings, and what else is asked of a history."""
        from leadml.service.learning import Learning

        return Learning(self.settings)

    @cached_property
    def models(self) -> Models:
        """Registered versions."""
        from leadml.service.models import Models

        return Models(self.settings)

    @cached_property
    def scoring(self) -> Scoring:
        """Files of leads."""
        from leadml.service.scoring import Scoring

        return Scoring(self.settings)

    @cached_property
    def lessons(self) -> Lessons:
        """Histories brought into the memory and out of it."""
        from leadml.service.lessons import Lessons

        return Lessons(self.settings)

    @cached_property
    def hindsight(self) -> Hindsight:
        """Looks back at what was decided."""
        from leadml.service.hindsight import Hindsight

        return Hindsight(self.settings)

    def policies(self) -> AbstractContextManager[Policies]:
        """The policy, opened; see :func:`leadml.service.opening.opened_policies`."""
        from leadml.service.opening import opened_policies

        return opened_policies(self.settings)
