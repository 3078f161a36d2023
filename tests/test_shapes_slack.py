"""leadml.webhooks.shapes.slack, against a stand-in of a channel."""

import pytest
from crms import Slack
from told import open_wire, told

from leadml.errors import InvalidField
from leadml.store.announcing import EVENTS
from leadml.webhooks import Message, Receiver
from leadml.webhooks.shapes import slack


@pytest.fixture
def wire():
    """A wire that may call this machine."""
    made = open_wire()
    yield made
    made.close()


def test_a_channel_reads_who_is_ready_and_why(wire):
    """The message names lead, chance, score and reasons, and nothing in it is a mark of Slack."""
    with Slack() as channel:
        receiver = Receiver(channel.url, "slack", lead_fields=("company",))
        slack.check(receiver)
        message = told("L-1", attributes={"company": "<!channel> & Sons", "salary": 1})
        assert slack.send(wire, receiver, [message])[0].delivered
        assert channel.messages == [
            "*L-1 is ready for sales*\n"
            "chance 17.1 %, score 81, stage mql (was nurture)\n"
            "• 3 visits: odds 2.0 times a typical lead's\n"
            "• industry &lt;Health&gt; &amp; ∗Care∗: odds 1.5 times\n"
            "company: &lt;!channel&gt; &amp; Sons"
        ]


@pytest.mark.parametrize("kind", [*EVENTS, "webhook.test"])
def test_every_event_has_words(kind):
    """No event is too bare to be told in a channel."""
    bare = Message("msg_1", 1, {"type": kind, "timestamp": "2026-11-20T14:00:00Z", "data": {}})
    (line,) = slack.lines_of(bare)
    assert line.startswith("*")
    assert len(line) > 4


def test_one_message_a_second_is_respected(wire):
    """429 with Retry-After is waited for as long as it says."""
    with Slack() as channel:
        receiver = Receiver(channel.url, "slack")
        first, second = slack.send(wire, receiver, [told("1", 1), told("2", 2)])
        assert first.delivered
        assert (second.delivered, second.status, second.retry_after_s) == (False, 429, 1.0)


def test_a_wrong_url_is_told(wire):
    """A URL whose secret does not fit fails with its status."""
    with Slack() as channel:
        receiver = Receiver(channel.url + "x", "slack")
        assert slack.send(wire, receiver, [told()])[0].status == 403


def test_options_are_refused():
    """A Slack webhook has nothing to choose."""
    with pytest.raises(InvalidField):
        slack.check(Receiver("https://hooks.slack.com/x", "slack", options={"channel": "#a"}))
