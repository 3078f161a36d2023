"""Small charts of shares by value."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from leadml.reports.charts.evidence import shares_chart

POINTS = [
    {"name": "web", "n": 50, "rate": 0.2, "low": 0.1, "high": 0.4, "predicted": 0.3},
    {"name": "fair", "n": 50, "rate": 0.4},
]


def test_a_point_is_a_dot_its_interval_a_line_the_other_share_a_tick():
    """What is not known is not drawn; the widest share reaches the right edge."""
    root = ElementTree.fromstring(shares_chart(POINTS, label="by source", base=0.25))
    kinds = [(child.tag, child.get("class")) for child in root]
    assert kinds.count(("circle", "f-hap")) == 2
    assert kinds.count(("line", "l-hap")) == 1
    assert kinds.count(("line", "l-model")) == 1
    assert kinds.count(("line", "l-other-1")) == 1
    dots = [float(child.get("cx")) for child in root if child.tag == "circle"]
    assert dots[0] < dots[1] == 402.0
    assert root.get("aria-label") == "by source"


@given(st.text(max_size=40), st.text(max_size=40))
def test_text_of_others_stays_text(name, label):
    """No name and no label can end its element."""
    point = {"name": name, "n": 1, "rate": 0.5}
    drawn = shares_chart([point], label=label)
    assert drawn.count("<svg") == 1
    assert drawn.count("<text") == 2
    assert "<script" not in drawn.lower()
