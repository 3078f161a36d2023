"""What commands ask of the past: promises held against what happened, decisions replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from leadml.errors import RegistryError
from leadml.service.models import registry_of
from leadml.service.opening import opened_memory, opened_policies
from leadml.service.past import WEEKS
from leadml.service.progress import Progress, silent
from leadml.service.replaying import Replayer, told_of
from leadml.service.slim import need_training
from leadml.service.watching import Watch
from leadml.settings import Settings
from leadml.store import Store
from leadml.store.records import us_of

__all__ = ["Hindsight"]


class Hindsight:
    """A look back at the decisions that the memory holds.

    Parameters
    ----------
    settings
        Name the memory, the model and MLflow.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def monitor(
        self, weeks: int = WEEKS, *, track: bool = True, progress: Progress = silent
    ) -> dict[str, Any]:
        """What was predicted of matured leads and what happened; see docs/monitoring.md.

        Parameters
        ----------
        weeks
            Matured weeks to look back.
        track
            Write a run of the served version to MLflow; the answer's ``run_id`` names it, or
            ``not_tracked`` says why there is none: the figures stand all the same.

        Raises
        ------
        FileMissing, MemoryOff, StoreUnavailable, NoModel
            Nothing was remembered so far, or nothing is served.
        """
        if track:
            need_training()
        with opened_policies(self.settings, make=False) as policies:
            served = policies.serving.current()
            progress("looking back", 0, 1)
            found = Watch(policies.past).report(served, weeks)
            progress("looking back", 1, 1)
        if track:
            try:
                found["run_id"] = registry_of(self.settings, progress).log_monitoring(
                    served.name, served.version, found
                )
            except RegistryError as error:
                found["not_tracked"] = {"code": error.code, "detail": error.detail}
        return found

    def replay(
        self,
        decision_ids: Sequence[str] = (),
        *,
        sample: int | None = None,
        since: datetime | None = None,
        progress: Progress = silent,
    ) -> dict[str, Any]:
        """Compute past decisions again from their records and bundles, bit for bit.

        Parameters
        ----------
        decision_ids
            These; otherwise ``sample`` of them at random, or all made ``since``.

        Returns
        -------
        dict
            What :meth:`Replayer.replay_all` gives, ``n_unknown`` where there are such ids,
            ``same`` and ``sentence``.
        """

        def fetch(name: str, version: str) -> Path:
            need_training()
            return registry_of(self.settings, progress).fetch(name, version)

        with opened_memory(self.settings, make=False) as memory:
            store = memory.require()
            records: Iterable[dict[str, Any]] = (
                store.decisions(ids=list(decision_ids) or None, sample=sample, since=since)
                if decision_ids or sample is not None
                else _all_since(store, since)
            )
            found = Replayer(self.settings, fetch).replay_all(
                records,
                lambda done: progress("replaying", done, len(decision_ids) or sample or 0),
            )
        unknown = max(0, len(set(decision_ids)) - found["n"])
        if unknown:
            found["n_unknown"] = unknown
        found["same"] = found["n"] > 0 and found["n_same"] == found["n"] and not unknown
        found["sentence"] = told_of(found) + (
            f" {unknown:,} of the ids are not known." if unknown else ""
        )
        return found


def _all_since(store: Store, since: datetime | None) -> Iterator[dict[str, Any]]:
    """Records of all decisions made since a moment, page by page."""
    after = None
    while page := store.decisions(since=since, after=after):
        yield from page
        last = page[-1]
        after = (us_of(datetime.fromisoformat(last["at"])), last["decision_id"])
