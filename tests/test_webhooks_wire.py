"""leadml.webhooks.wire: calls end in time, read little, tell nothing."""

import io
import logging
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from receiver import Answer, receiver

from leadml.api.log import configure
from leadml.webhooks import Guard
from leadml.webhooks.parcel import reception_of
from leadml.webhooks.reply import MOST_READ, CallFailed, Reply, retry_after_s
from leadml.webhooks.wire import Wire


@pytest.fixture
def wire():
    """A wire that may call this machine."""
    made = Wire(Guard(["127.0.0.1", "localhost"]), timeout_s=0.5)
    yield made
    made.close()


def test_a_call_sends_and_reads(wire):
    """Method, headers and body arrive; status, headers and body come back."""
    answer = Answer(201, {"X-Said": "yes"}, b"hello")
    with receiver(lambda call: answer) as there:
        reply = wire.call("PATCH", there.url + "/a?b=c", headers={"x-asked": "1"}, content=b"body")
        (call,) = there.calls
    assert (call.method, call.path, call.body) == ("PATCH", "/a?b=c", b"body")
    assert call.headers["x-asked"] == "1"
    assert call.headers["user-agent"].startswith("leadml/")
    assert (reply.status, reply.text, reply.headers["x-said"]) == (201, "hello", "yes")


def test_calls_leave_no_trace_in_the_log(wire, caplog):
    """Whatever level the log has, our own calls write neither address nor key into it."""
    caplog.set_level("INFO")
    with receiver() as there:
        wire.call("POST", there.url + "/services/secret", headers={"authorization": "Bearer key"})
    assert caplog.records == []
    configure("debug", "text", io.StringIO())
    for name in ("httpcore.http11", "httpx", "hubspot.crm.contacts.rest", "slack_sdk.webhook"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_the_environment_sends_nothing_elsewhere(wire, monkeypatch):
    """Proxies and passwords of the environment are not used."""
    with receiver() as there, receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        fresh = Wire(wire.guard, timeout_s=1)
        fresh.call("POST", there.url)
        fresh.close()
        assert (len(there.calls), len(proxy.calls)) == (1, 0)


@pytest.mark.parametrize(
    "fault",
    [Answer(fault="hang", seconds=5), Answer(fault="drip", body=b"x" * 400), Answer(seconds=5)],
    ids=["silence", "dripping", "late"],
)
def test_a_call_ends_in_time(wire, fault):
    """However slowly a receiver answers, a call ends at its deadline."""
    with receiver(lambda call: fault) as there:
        start = time.monotonic()
        with pytest.raises(CallFailed, match="in time"):
            wire.call("POST", there.url)
        assert time.monotonic() - start < 4


def test_many_calls_together_end_in_time(wire):
    """Within a budget the calls of a batch share its time; then none is made any more."""
    with receiver(lambda call: Answer(fault="hang", seconds=5)) as there, wire.within(0.3):
        start = time.monotonic()
        for _ in range(3):
            with pytest.raises(CallFailed):
                wire.call("POST", there.url)
        assert time.monotonic() - start < 4
        assert len(there.calls) == 1


def test_a_flood_is_not_read(wire):
    """Of an endless answer at most a megabyte is read, and nothing is unpacked."""
    flood = Answer(200, {"content-encoding": "gzip"}, b"\0" * (3 * MOST_READ))
    with receiver(lambda call: flood) as there:
        assert len(wire.call("POST", there.url).body) == MOST_READ


def test_faults_are_told_without_addresses(wire):
    """Resets and closed ports are failures whose words name no address."""
    with receiver(lambda call: Answer(fault="reset")) as there:
        with pytest.raises(CallFailed) as caught:
            wire.call("POST", there.url)
        port = there.port
    assert "127" not in caught.value.why
    with pytest.raises(CallFailed, match="no connection") as caught:
        wire.call("POST", f"http://127.0.0.1:{port}/")
    assert str(port) not in caught.value.why


@pytest.fixture
def encrypted(tmp_path):
    """A receiver over TLS with a certificate for localhost, which only its file vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    asked = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    with receiver() as there:
        there.server.socket = context.wrap_socket(
            there.server.socket, server_side=True, do_handshake_on_connect=False
        )
        yield there, file, asked


def test_certificates_must_prove_the_name(encrypted, monkeypatch):
    """Over TLS the name is proven though the connection goes to a checked address."""
    there, file, asked = encrypted
    guard = Guard(["localhost", "127.0.0.1"])
    strict = Wire(guard, timeout_s=2)
    with pytest.raises(CallFailed, match="certificate"):
        strict.call("POST", f"https://localhost:{there.port}/")
    strict.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    trusting = Wire(guard, timeout_s=2)
    assert trusting.call("POST", f"https://localhost:{there.port}/").status == 200
    with pytest.raises(CallFailed, match="certificate"):
        trusting.call("POST", f"https://127.0.0.1:{there.port}/")
    trusting.close()
    assert "localhost" in asked
    (call,) = there.calls
    assert call.headers["host"] == f"localhost:{there.port}"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("0", 0), ("-3", 0), ("1e9", 86_400), ("", None), ("soon", None), ("nan", None)],
)
def test_retry_after_is_read_as_seconds(said, seconds):
    """Seconds within a day; anything unreadable counts as not said."""
    assert retry_after_s(Reply(429, {"retry-after": said}, b"")) == seconds


def test_retry_after_is_read_as_a_date():
    """A date is as many seconds as it lies ahead."""
    at = datetime.now(UTC) + timedelta(seconds=90)
    found = retry_after_s(Reply(503, {"retry-after": format_datetime(at, usegmt=True)}, b""))
    assert 85 < found <= 90


def test_a_closed_wire_stays_closed(wire):
    """A call that comes after the end opens nothing and counts for no attempt."""
    with receiver() as there:
        wire.call("POST", there.url)
        wire.close()
        with pytest.raises(CallFailed) as caught:
            wire.call("POST", there.url)
        assert len(there.calls) == 1
    assert wire._transport is None
    reception = reception_of(caught.value)
    assert (reception.sent, reception.retry_after_s) == (False, 0.0)
