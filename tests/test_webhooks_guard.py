# ruff: noqa: E501
"""leadml.webhooks.guard: nothing that leads inside is called."""

import ipaddress
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver import Answer, receiver

from leadml.errors import AddressRefused, ConfigError
from leadml.webhooks import Guard
from leadml.webhooks.guard import Place, is_public
from leadml.webhooks.reply import CallFailed
from leadml.webhooks.wire import Wire

OUTSIDE = "93.184.215.14"


def inside(port: int) -> list[str]:
    """More than 150 targets that mean this machine or its network, all at one port."""
    hosts = [
        "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "127.0.0.1.", "127.0.0.01",
        "0127.0.0.1", "0177.0.0.1", "0177.0.0.01", "017700000001", "0x7f.0.0.1", "0x7f.1",
        "0x7f000001", "0X7F000001", "0x7F.0x00.0x00.0x01", "0x7f.0.0x0.01", "2130706433",
        "02130706433", "6425673729", "127.0.0.1%00", "127.0.0.1%0a", "127%2e0%2e0%2e1",
        "%31%32%37.0.0.1", "①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127．0．0．1",
        "0", "0.0.0.0", "0.0", "0x0", "00.00.00.00", "00000000", "[::]", "[::1]", "[0::1]",
        "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::1%25lo]", "[::1%lo]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:7f00:0001]", "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]",
        "[2002:a00:1::]", "[2002:c0a8:101::]", "[2001:0:7f00:1::]", "[2001::1]", "[2001:10::1]",
        "[2001:20::1]", "[2001:db8::1]", "[100::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]",
        "[fec0::1]", "[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[ff02::1]", "[ff01::1]", "[ff0e::1]",
        "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
        "[5f00::1]", "[3fff::1]", "[4000::1]", "[1::]", "[::", "[::1", "::1", "[]", "[v1.x]",
        "10.0.0.1", "10.255.255.255", "10.1", "0xa000001", "167772161", "012.0.0.1", "172.16.0.1",
        "172.31.255.254", "172.16.1", "0xac100001", "2886729729", "192.168.0.1", "192.168.1.1",
        "192.168.257", "0xc0a80101", "3232235777", "0300.0250.1.1", "169.254.169.254", "169.254.0.1",
        "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.",
        "100.64.0.1", "100.100.100.200", "100.127.255.254", "168.63.129.16", "192.0.0.1", "192.0.0.192",
        "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.254", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "250.1.2.3", "255.255.255.255",
        "256.0.0.1", "127.0.0.256", "1.2.3.4.5", "127.0.0.1x", "127.0.0.-1", "-127.0.0.1",
        "localhost", "LOCALHOST", "localhost.", "ip6-localhost", "ip6-loopback", "localhost.localdomain",
        "a.localhost", "127.0.0.1.nip.example", "metadata", "metadata.google.internal",
        "instance-data", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
        "host.docker.internal", "router.local", "rebind.example", "mixed.example", "mapped.example",
        "six.example", "cname.example", "empty.example", "many.example", "odd.example", "ⓛocalhost",
        "locaⅼhost", "xn--localhost", "loc\u00adalhost", "local host", "local\thost", "local\nhost",
        "localhost\\@example.com", "example.com\\@localhost", "", ".", "..", "_", "-", "a..b",
    ]  # fmt: skip
    whole = [
        f"http://127.0.0.1:{port}/", f"HTTPS://127.0.0.1:{port}/", f"https:/127.0.0.1:{port}/",
        f"https:127.0.0.1:{port}", f"//127.0.0.1:{port}/", f"https:///127.0.0.1:{port}/",
        f"https://user@127.0.0.1:{port}/", f"https://example.com@127.0.0.1:{port}/",
        f"https://127.0.0.1:{port}@example.com/", f"https://example.com:443@127.0.0.1:{port}/",
        f"https://example.com#@127.0.0.1:{port}/", f"https://example.com%23@127.0.0.1:{port}/",
        f"https://inner.example?@127.0.0.1:{port}/", f"https://example.com\\@127.0.0.1:{port}/",
        f"https://127.0.0.1\\:{port}/", f"https://127.0.0.1:{port}\r\nHost: x/", f" https://127.0.0.1:{port}/",
        f"https://127.0.0.1\t:{port}/", f"https://127.0.0.1 :{port}/", "https://127.0.0.1:0/",
        "https://127.0.0.1:99999/", "https://127.0.0.1:x/", "https://127.0.0.1:/", "ftp://127.0.0.1/",
        f"gopher://127.0.0.1:{port}/_GET", "file:///etc/passwd", "file://127.0.0.1/etc/passwd",
        f"dict://127.0.0.1:{port}/", "ldap://127.0.0.1/", "data:text/plain,x", "javascript:alert(1)",
        f"unix:///tmp/{port}.sock", "http+unix://%2Ftmp%2Fx/", "jar:http://127.0.0.1!/", "", "https://",
        "https", f"127.0.0.1:{port}", f"https://[::1]:{port}@example.com/", "https://" + "a" * 3000,
    ]  # fmt: skip
    return [f"https://{host}:{port}/hook" for host in hosts] + whole


NAMES = {
    "rebind.example": [[OUTSIDE], ["127.0.0.1"]],
    "mixed.example": [[OUTSIDE, "127.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "six.example": [["::1"]],
    "empty.example": [[]],
    "many.example": [[OUTSIDE] * 100],
    "odd.example": [["0x7f000001"]],
    "example.com": [[OUTSIDE]],
}


class Names:
    """A resolver that lies: names of the outside change between two questions."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def __call__(self, host: str, port: int) -> list[str]:
        n = self.asked[host] = self.asked.get(host, -1) + 1
        answers = NAMES.get(host, [["127.0.0.1"]])
        return answers[min(n, len(answers) - 1)]


@contextmanager
def listening():
    """A socket that counts who connects, on IPv4 and IPv6 loopback at one port."""
    four = socket.create_server(("127.0.0.1", 0))
    port = four.getsockname()[1]
    sockets = [four]
    if socket.has_ipv6:
        with suppress(OSError):
            sockets.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    came = []

    def accept(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            came.append(connection)
            connection.close()

    threads = [threading.Thread(target=accept, args=(one,), daemon=True) for one in sockets]
    for thread in threads:
        thread.start()
    yield port, came
    for one in sockets:
        one.shutdown(socket.SHUT_RDWR)
        one.close()
    for thread in threads:
        thread.join(2)


def test_the_listener_would_hear_a_connection():
    """The counter of the next test counts: an opened guard gets through to it."""
    with listening() as (port, came):
        wire = Wire(Guard(["127.0.0.1"]), timeout_s=1)
        with pytest.raises(CallFailed):
            wire.call("POST", f"http://127.0.0.1:{port}/")
        wire.close()
        assert len(came) >= 1


def test_no_inward_target_is_connected_to(monkeypatch):
    """Of 150 and more targets that mean the inside none causes a connection (S5)."""
    tried = []
    kept = socket.socket.connect

    def connect(self, address):
        tried.append(address)
        return kept(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    with listening() as (port, came):
        wire = Wire(Guard(resolver=Names()), timeout_s=1)
        targets = inside(port)
        assert len(targets) >= 150
        for target in targets:
            if "rebind" in target:
                continue  # its first answer lies outside; the next test looks at it
            with pytest.raises(CallFailed, match=r"refused|resolved") as caught:
                wire.call("POST", target, content=b"{}")
            assert "127.0.0.1" not in caught.value.why
        wire.close()
        assert came == []
        assert tried == []


def test_a_name_that_changes_between_two_looks_gains_nothing(monkeypatch):
    """The address that was checked is the one that is connected to, without a second look."""
    tried = []

    def connect(address, *_, **__):
        tried.append(address)
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "create_connection", connect)
    names = Names()
    wire = Wire(Guard(resolver=names), timeout_s=1)
    with pytest.raises(CallFailed, match="no connection"):
        wire.call("POST", "https://rebind.example/hook")
    assert tried == [(OUTSIDE, 443)]
    assert names.asked["rebind.example"] == 0
    with pytest.raises(CallFailed, match="refused"):
        wire.call("POST", "https://rebind.example/hook")
    wire.close()
    assert tried == [(OUTSIDE, 443)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(status):
    """A receiver that sends us elsewhere is not obeyed."""
    with receiver() as elsewhere:
        lure = Answer(status, {"location": elsewhere.url + "/inside"})
        with receiver(lambda call: lure) as there:
            wire = Wire(Guard(["127.0.0.1"]))
            assert wire.call("POST", there.url).status == status
            wire.close()
        assert elsewhere.calls == []


def test_what_is_listed_is_open():
    """Hosts, domains, addresses and networks of the list may be called, also without TLS."""
    guard = Guard([" LocalHost ", "10.0.0.0/8", "::1", ".svc.local", ""], resolver=Names())
    for url in (
        "http://localhost:8080/x",
        "https://localhost/x",
        "http://10.1.2.3/",
        "http://[::1]:99/",
        "http://crm.svc.local/",
    ):
        assert guard.addresses(guard.read(url))
    for url in ("http://127.0.0.1/", "https://svc.local.example/", "https://192.168.0.1/"):
        with pytest.raises(AddressRefused):
            guard.addresses(guard.read(url))


def test_a_listed_network_opens_no_plain_http_to_the_outside():
    """Without TLS only what the list names is called, though other entries stand there."""
    guard = Guard(["10.0.0.0/8"], resolver=Names())
    with pytest.raises(AddressRefused, match="https"):
        guard.addresses(guard.read("http://example.com/"))
    assert guard.addresses(guard.read("https://example.com/")) == [OUTSIDE]


@pytest.mark.parametrize("entry", ["http://localhost", "a b", "10.0.0.0/99", "*.example.com"])
def test_a_list_that_cannot_be_read_is_refused(entry):
    """A wrong entry of LEADML_WEBHOOK_ALLOW stops the start instead of opening too much."""
    with pytest.raises(ConfigError):
        Guard([entry])


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_holds_another_is_public(address):
    """What is public lies in 2000::/3 and is neither 6to4 nor Teredo."""
    if is_public(address):
        assert address in ipaddress.IPv6Network("2000::/3")
        assert address.sixtofour is None
        assert address.teredo is None
        assert address.ipv4_mapped is None


@given(st.ip_addresses(v=4))
def test_no_inner_ipv4_address_is_public(address):
    """What Python calls private, reserved, shared, local or multicast is not public."""
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_private


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """No text breaks the reading of a URL."""
    for url in (text, f"https://{text}", f"https://{text}:443/x"):
        try:
            place = Guard().read(url)
        except AddressRefused:
            continue
        assert place.scheme == "https"
        assert place.host == place.host.lower()
        assert isinstance(place, Place)
