"""leadml.webhooks.shapes.hubspot, against a stand-in that enforces HubSpot's limits."""

import pytest
from crms import HubSpot
from told import open_wire, told

from leadml.errors import ExtraMissing, InvalidField
from leadml.webhooks import Guard, Receiver, records, shape_of
from leadml.webhooks.shapes import hubspot
from leadml.webhooks.wire import Wire


@pytest.fixture
def wire():
    """A wire that may call this machine."""
    made = open_wire()
    yield made
    made.close()


def receiver_at(crm, **more):
    """A receiver of the stand-in, with its token."""
    return Receiver(**({"url": crm.url, "kind": "hubspot", "credential": crm.token} | more))


def test_contacts_get_score_stage_and_reasons(wire):
    """A message becomes properties of its contact, read back from the CRM."""
    with HubSpot() as crm:
        crm.records["101"] = {"email": "a@example.com"}
        (found,) = hubspot.send(wire, receiver_at(crm), [told("101")])
        assert (found.delivered, found.status) == (True, 200)
        assert crm.records["101"] == {
            "email": "a@example.com",
            "leadml_score": "81",
            "leadml_probability": "0.1713",
            "leadml_stage": "mql",
            "leadml_reasons": "3 visits: odds 2.0 times a typical lead's\n"
            "industry <Health> & *Care*: odds 1.5 times",
        }


def test_a_hundred_contacts_take_one_call(wire):
    """Up to a hundred messages are one call, and what is told of each stays with it."""
    with HubSpot() as crm:
        crm.records = {str(n): {} for n in range(hubspot.MOST)}
        messages = [told(str(n), n + 1, score=n) for n in range(hubspot.MOST)]
        found = hubspot.send(wire, receiver_at(crm), messages)
        assert all(one.delivered for one in found)
        assert len(crm.calls) == 1
        assert {key: kept["leadml_score"] for key, kept in crm.records.items()} == {
            str(n): str(n) for n in range(hubspot.MOST)
        }


def test_contacts_that_are_gone_spoil_no_other(wire):
    """Of a batch with unknown contacts the known ones are updated, the others told apart."""
    with HubSpot() as crm:
        crm.records = {str(n): {} for n in range(10) if n % 3}
        found = hubspot.send(wire, receiver_at(crm), [told(str(n), n + 1) for n in range(10)])
        assert [one.delivered for one in found] == [bool(n % 3) for n in range(10)]
        assert all(kept["leadml_stage"] == "mql" for kept in crm.records.values())


def test_one_bad_contact_of_a_refused_batch_is_found(wire):
    """Where HubSpot refuses a batch as a whole, halves are tried until the bad one is alone."""
    with HubSpot() as crm:
        crm.records = {str(n): {} for n in range(16)}
        messages = [told(str(n), n + 1, stage="mql\x00" if n == 5 else "mql") for n in range(16)]
        found = hubspot.send(wire, receiver_at(crm), messages)
        assert [n for n, one in enumerate(found) if not one.delivered] == [5]
        assert found[5].status == 400
        assert len(crm.calls) <= 1 + 2 * 4


def test_contacts_may_be_named_by_a_property(wire):
    """With id_field and id_property a contact is found by what the lead says of itself."""
    with HubSpot() as crm:
        crm.records["7"] = {"email": "a@example.com"}
        options = {"id_field": "email", "id_property": "email", "fields": {"score": "leadml_score"}}
        receiver = receiver_at(crm, options=options)
        hubspot.check(receiver)
        messages = [
            told("crm-1", 1, attributes={"email": "a@example.com"}, score=10),
            told("crm-2", 2, attributes={}),
            told("crm-3", 3, attributes={"email": "a@example.com"}, score=30),
        ]
        found = hubspot.send(wire, receiver, messages)
        assert [one.delivered for one in found] == [True, False, True]
        assert crm.records["7"] == {"email": "a@example.com", "leadml_score": "30"}


def test_limits_are_waited_for(wire):
    """Beyond the rate limit the answer is to wait the ten seconds that HubSpot counts."""
    with HubSpot() as crm:
        crm.limit, crm.records = 1, {"101": {}}
        receiver = receiver_at(crm)
        (first,) = hubspot.send(wire, receiver, [told()])
        (second,) = hubspot.send(wire, receiver, [told()])
        assert (first.delivered, second.delivered) == (True, False)
        assert (second.status, second.retry_after_s) == (429, 10.0)


@pytest.mark.parametrize("fault", ["token", "property"])
def test_what_is_set_up_wrongly_is_told(wire, fault):
    """A wrong token or a property that is not there fails with its status, nothing is lost."""
    with HubSpot() as crm:
        crm.records["101"] = {}
        options = {"fields": {"score": "nonsense"}} if fault == "property" else {}
        token = "wrong" if fault == "token" else crm.token
        receiver = receiver_at(crm, credential=token, options=options)
        (found,) = hubspot.send(wire, receiver, [told()])
        assert (found.delivered, found.status) == (False, 401 if fault == "token" else 400)
        assert crm.records["101"] == {}


@pytest.mark.parametrize(
    "given",
    [
        {"credential": None},
        {"credential": "two words"},
        {"options": {"fields": {"salary": "x"}}},
        {"options": {"fields": {"score": "not a name"}}},
        {"options": {"colour": "red"}},
        {"options": {"id_property": "Email!"}},
    ],
)
def test_what_cannot_work_is_refused(given):
    """Options and credentials are checked before anything is sent."""
    good = {"url": "https://api.hubapi.com", "kind": "hubspot", "credential": "pat-1"}
    hubspot.check(Receiver(**good))
    with pytest.raises(InvalidField):
        hubspot.check(Receiver(**(good | given)))


def test_a_missing_client_is_named(monkeypatch):
    """Without the extra leadml[crm] the error says what to install."""
    kept = records.importlib.util.find_spec
    monkeypatch.setattr(
        records.importlib.util,
        "find_spec",
        lambda name, *more: None if name == "hubspot" else kept(name, *more),
    )
    with pytest.raises(ExtraMissing, match="hubspot") as caught:
        hubspot.check(Receiver("https://api.hubapi.com", "hubspot", credential="pat-1"))
    assert "leadml[crm]" in caught.value.fix


def test_the_client_is_guarded(wire, monkeypatch):
    """The official client reaches no address but by our wire."""

    def refuse(*_):
        raise AssertionError("a connection beside the wire")

    with HubSpot() as crm:
        crm.records["101"] = {}
        closed = Wire(Guard())
        inside = shape_of("hubspot").send(closed, receiver_at(crm), [told()])
        assert "refused" in inside[0].error
        assert crm.calls == []
        import urllib3.util.connection

        monkeypatch.setattr(urllib3.util.connection, "create_connection", refuse)
        assert hubspot.send(wire, receiver_at(crm), [told()])[0].delivered
