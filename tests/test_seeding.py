"""Months of simulated business in a memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leadml.leads.schema import Column, Schema
from leadml.leads.vocabulary import Kind, Role
from leadml.registry.aliases import Named
from leadml.registry.champion import write_pointer
from leadml.registry.golden import golden_rows
from leadml.registry.writing import write_bundle
from leadml.scorecard import Scorecard
from leadml.service.memory import Memory
from leadml.service.seeding import seed_memory
from leadml.settings import Settings
from tests import hand_made


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A champion that reads a few columns of the simulation, and an empty memory."""
    folder = tmp_path_factory.mktemp("seeded")
    card = hand_made.scorecard()
    columns = list(card.schema.columns)
    columns[2] = Column("source", Kind.CATEGORY, Role.FIT, levels=("Webinar", "Referral"))
    card = Scorecard(
        Schema(tuple(columns), known=("company",)), card.base, card.columns, card.pairs,
        card.reference,
    )  # fmt: skip
    digest = write_bundle(
        folder / "models" / "leads" / "1",
        scorecard=card,
        policy=hand_made.policy(),
        metrics=hand_made.facts(),
        golden=golden_rows(card, hand_made.policy(), hand_made.leads(10)),
        card="# leads\n",
    )
    write_pointer(folder / "models", "leads", Named("1", digest))
    return Settings(
        models_dir=str(folder / "models"),
        tracking_uri="",
        database_url=f"sqlite:///{folder / 'leadml.db'}",
    )


def test_a_memory_is_filled_once_with_months_of_decisions(settings: Settings) -> None:
    """Leads come over months, some again, sales reports; a second call adds nothing."""
    told = seed_memory(settings, 400, seed=3)
    memory = Memory(settings)
    store = memory.open()
    counts = store.counts()
    weeks = store.glances.stages()
    lead = store.lives.page(1)[0]
    memory.close()
    assert told["leads"] == 400
    assert counts["decisions"] == told["decisions"] > 450
    assert 0 < counts["outcomes"] == told["outcomes"]
    assert sum(weeks.values()) >= 390
    assert re.fullmatch(r"S\d+", lead["lead_id"])
    assert set(weeks) >= {"cold", "lost"}
    assert seed_memory(settings, 400, seed=3) == {"leads": 0, "decisions": 0, "outcomes": 0}


def test_seeded_leads_carry_a_company_but_no_address(settings: Settings, tmp_path: Path) -> None:
    """What is remembered of a simulated person holds no e-mail address and no telephone."""
    memory = Memory(settings)
    rows = memory.open().lives.page(50)
    attributes = memory.open().glances.attributes([row["lead_id"] for row in rows])
    memory.close()
    assert all("company" in each for each in attributes.values())
    assert not any({"email", "phone", "converted"} & each.keys() for each in attributes.values())
