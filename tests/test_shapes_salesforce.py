"""leadml.webhooks.shapes.salesforce and salesforce_event, against a stand-in."""

import json

import pytest
from crms import Salesforce
from told import open_wire, told

from leadml.errors import InvalidField
from leadml.webhooks import Receiver
from leadml.webhooks.shapes import salesforce, salesforce_event

LEAD = "00Q5e00000abcdeAAQ"
APPLICATION = json.dumps({"client_id": "consumer", "client_secret": "hush"})


@pytest.fixture
def wire():
    """A wire that may call this machine."""
    made = open_wire()
    yield made
    made.close()


def receiver_at(crm, **more):
    """A receiver of the stand-in, with its token."""
    return Receiver(**({"url": crm.url, "kind": "salesforce", "credential": crm.token} | more))


def test_a_lead_gets_score_stage_and_reasons(wire):
    """A message becomes fields of its lead, read back from the CRM."""
    with Salesforce() as crm:
        crm.records[LEAD] = {"Company": "ACME"}
        (found,) = salesforce.send(wire, receiver_at(crm), [told(LEAD)])
        assert (found.delivered, found.status) == (True, 204)
        assert crm.records[LEAD] == {
            "Company": "ACME",
            "leadml_Score__c": 81,
            "leadml_Probability__c": 0.1713,
            "leadml_Stage__c": "mql",
            "leadml_Reasons__c": "3 visits: odds 2.0 times a typical lead's\n"
            "industry <Health> & *Care*: odds 1.5 times",
        }


def test_a_lead_may_be_named_by_an_external_id(wire):
    """With external_id a lead is found by a field of its own, whatever signs it holds."""
    with Salesforce() as crm:
        crm.records[LEAD] = {"Ref__c": "a/b?c d'e"}
        receiver = receiver_at(crm, options={"external_id": "Ref__c"})
        salesforce.check(receiver)
        (found,) = salesforce.send(wire, receiver, [told("a/b?c d'e")])
        assert found.delivered
        assert crm.records[LEAD]["leadml_Score__c"] == 81


@pytest.mark.parametrize(
    "lead_id", ["../Account/0015e", "https://evil.example/x", "//evil.example", "00Q", "", "a b"]
)
def test_an_id_never_becomes_an_address(wire, lead_id):
    """An id that is none of Salesforce's is refused before any call."""
    with Salesforce() as crm:
        (found,) = salesforce.send(wire, receiver_at(crm), [told(lead_id)])
        assert not found.delivered
        assert crm.calls == []


def test_a_session_that_ended_is_renewed(wire):
    """An application fetches a token, keeps it, and fetches another when it is refused."""
    with Salesforce() as crm:
        crm.records[LEAD] = {}
        receiver = receiver_at(crm, credential=APPLICATION)
        salesforce.check(receiver)
        for _ in range(3):
            assert salesforce.send(wire, receiver, [told(LEAD)])[0].delivered
        assert crm.n_tokens == 1
        crm.token = "ended"
        assert salesforce.send(wire, receiver, [told(LEAD)])[0].delivered
        assert crm.n_tokens == 2


@pytest.mark.parametrize(
    ("broken", "status"),
    [("token", 401), ("field", 400), ("lead", 404), ("limit", 403), ("application", None)],
)
def test_what_salesforce_refuses_is_told(wire, broken, status):
    """Each refusal fails with its status and without a word of what Salesforce said."""
    with Salesforce() as crm:
        crm.records[LEAD] = {}
        crm.limit = 0 if broken == "limit" else crm.limit
        given = {
            "token": {"credential": "wrong"},
            "field": {"options": {"fields": {"score": "Nonsense__c"}}},
            "application": {
                "credential": json.dumps({"client_id": "who", "client_secret": "what"})
            },
        }.get(broken, {})
        lead_id = "00Q5e00000fghijAAQ" if broken == "lead" else LEAD
        (found,) = salesforce.send(wire, receiver_at(crm, **given), [told(lead_id)])
        assert (found.delivered, found.status) == (False, status)
        assert "column" not in found.error
        assert crm.records[LEAD] == {}


def test_an_event_is_published_with_the_id_of_its_message(wire):
    """A platform event carries what flows need, and an id by which they skip repeats."""
    with Salesforce() as crm:
        receiver = receiver_at(crm, kind="salesforce_event")
        salesforce_event.check(receiver)
        found = salesforce_event.send(wire, receiver, [told(LEAD, 7)])
        assert found[0].delivered
        (event,) = crm.events
        assert event == {
            "Event__c": "lead.became_mql",
            "Lead_Id__c": LEAD,
            "Stage__c": "mql",
            "Score__c": 81,
            "Probability__c": 0.1713,
            "Reasons__c": "3 visits: odds 2.0 times a typical lead's\n"
            "industry <Health> & *Care*: odds 1.5 times",
            "Message_Id__c": "msg_7",
            "Sequence__c": 7,
            "Occurred_At__c": "2026-11-20T14:00:00Z",
        }


@pytest.mark.parametrize(
    "given",
    [
        {"credential": None},
        {"credential": '{"client_id": "x"}'},
        {"options": {"object": "Lead/../Account"}},
        {"options": {"version": "latest"}},
    ],
)
def test_what_cannot_work_is_refused(given):
    """Options and credentials are checked before anything is sent."""
    good = {"url": "https://x.my.salesforce.com", "kind": "salesforce", "credential": APPLICATION}
    salesforce.check(Receiver(**good))
    with pytest.raises(InvalidField):
        salesforce.check(Receiver(**(good | given)))
