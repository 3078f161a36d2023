"""leadml.webhooks.shapes.dynamics, against a stand-in of Dataverse."""

import json

import pytest
from crms import Dynamics
from told import open_wire, told

from leadml.errors import InvalidField
from leadml.webhooks import Receiver
from leadml.webhooks.shapes import dynamics

LEAD = "00aa00aa-bb11-cc22-dd33-44ee44ee44ee"
APPLICATION = {"client_id": "app", "client_secret": "hush", "tenant": "contoso"}


@pytest.fixture
def wire():
    """A wire that may call this machine."""
    made = open_wire()
    yield made
    made.close()


def receiver_at(crm, **more):
    """A receiver of the stand-in, whose tokens come from the stand-in too."""
    options = {"token_url": f"{crm.url}/contoso/oauth2/v2.0/token"} | more.pop("options", {})
    given = {"url": crm.url, "kind": "dynamics", "credential": json.dumps(APPLICATION)}
    return Receiver(**(given | more), options=options)


def test_a_lead_gets_score_grade_and_trend(wire):
    """The predictive score of a lead is made, then follows its scores up and down."""
    with Dynamics() as crm:
        receiver = receiver_at(crm)
        dynamics.check(receiver)
        seen = []
        for sequence, (score, grade) in enumerate([(40, "C"), (81, "B"), (82, "B"), (20, "D")]):
            message = told(LEAD, sequence, score=score, grade=grade)
            assert dynamics.send(wire, receiver, [message])[0].delivered
            kept = crm.records[f"lead:{LEAD}"]
            columns = ("msdyn_score", "msdyn_grade", "msdyn_scoretrend")
            seen.append(tuple(kept[column] for column in columns))
        assert seen == [(40, 2, 3), (81, 1, 0), (82, 1, 1), (20, 3, 2)]


def test_ids_are_quoted(wire):
    """Quotes in an id stay part of the key."""
    with Dynamics() as crm:
        named = "o'neil,msdyn_entitytype='x"
        assert dynamics.send(wire, receiver_at(crm), [told(named)])[0].delivered
        assert list(crm.records) == [f"lead:{named}"]


def test_a_lead_that_was_never_scored_has_nothing_to_show(wire):
    """A report on an unknown lead makes no record and counts as done."""
    with Dynamics() as crm:
        message = told(LEAD)
        del message.payload["data"]["score"]
        assert dynamics.send(wire, receiver_at(crm), [message])[0].delivered
        assert crm.calls == []


def test_a_token_is_kept_and_renewed(wire):
    """One token serves many calls; a refused one is fetched again once."""
    with Dynamics() as crm:
        receiver = receiver_at(crm)
        for _ in range(2):
            assert dynamics.send(wire, receiver, [told(LEAD)])[0].delivered
        asked = [call for call in crm.calls if call.path.endswith("/token")]
        assert len(asked) == 1
        crm.token = "ended"
        assert dynamics.send(wire, receiver, [told(LEAD)])[0].delivered


def test_limits_are_waited_for(wire):
    """429 of the service protection limits is waited for as long as it says."""
    with Dynamics() as crm:
        crm.limit = 0
        (found,) = dynamics.send(wire, receiver_at(crm), [told(LEAD)])
        assert (found.delivered, found.status, found.retry_after_s) == (False, 429, 3.0)


def test_a_wrong_application_is_told(wire):
    """Without a token nothing is written, and the failure says so."""
    with Dynamics() as crm:
        wrong = receiver_at(crm, credential=json.dumps(APPLICATION | {"client_secret": "no"}))
        (found,) = dynamics.send(wire, wrong, [told(LEAD)])
        assert not found.delivered
        assert "no token" in found.error
        assert crm.records == {}


@pytest.mark.parametrize(
    "given",
    [
        {"credential": None},
        {"credential": '{"client_id": "x", "client_secret": "y"}'},
        {"options": {"entity": "account"}},
        {"options": {"object": "Lead"}},
    ],
)
def test_what_cannot_work_is_refused(given):
    """Options and credentials are checked before anything is sent."""
    url, credential = "https://contoso.crm.dynamics.com", json.dumps(APPLICATION)
    good = {"url": url, "kind": "dynamics", "credential": credential}
    dynamics.check(Receiver(**good))
    with pytest.raises(InvalidField):
        dynamics.check(Receiver(**(good | given)))
