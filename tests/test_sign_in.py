"""leadml.api.sessions, leadml.api.sign_in: people and their browsers, over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from leadml.api.app import create_app
from leadml.api.sign_in import next_of
from leadml.settings import Settings
from leadml.store import Store, tables, users
from tests import hand_made, held
from tests.http_server import serve

PASSWORD = "three green apples"
PAGE = {"Accept": "text/html"}
LEAD = {"lead_id": "L1", "lead": hand_made.leads(1)[0]}
PLAN = {"basis": "capacity", "capacity_per_week": 8, "note": "Two people only."}


@contextmanager
def quick_hashes() -> Iterator[None]:
    """Passwords are hashed with small settings."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    known = quick, quick.hash("nobody knows it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(users, "_hasher", lambda: known)
        yield


class World:
    """A server with three people and a key."""

    def __init__(self, address: str, store: Store, key: str) -> None:
        self.address = address
        self.store = store
        self.key = key

    @contextmanager
    def browser(self, name: str = "", **headers: str) -> Iterator[httpx.Client]:
        """Somebody's browser, signed in if a name is given."""
        with httpx.Client(base_url=self.address, headers=PAGE | headers) as client:
            if name:
                form = {"name": name, "password": PASSWORD}
                answer = client.post("/sign-in", data=form)
                assert answer.status_code == 303, answer.text
                assert answer.headers["location"] == "/"
            yield client

    def proof(self, client: httpx.Client, page: str = "/versions") -> str:
        """What forms of the session carry."""
        found = re.search(r'name="csrf" value="([^"]+)"', client.get(page).text)
        assert found
        return found[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A viewer, a manager, an administrator, and a key for everything."""
    folder = tmp_path_factory.mktemp("world")
    url = f"sqlite:///{folder / 'leadml.db'}"
    settings = Settings(database_url=url, max_jobs=0, models_dir=str(folder), tracking_uri="")
    store = Store(url)
    store.migrate()
    with quick_hashes():
        for name, role in (("vera", "viewer"), ("mona", "manager"), ("ada", "admin")):
            store.people.add(name, PASSWORD, role)
        key, _ = store.create_key("crm", ["score", "outcomes", "read", "manage"])
        with serve(settings, held.serving()) as address:
            yield World(address, store, key)
    store.close()


def test_a_page_asks_who_it_is_and_comes_back(world: World) -> None:
    """Without a session a page leads to the sign-in, and from there to where one wanted to go."""
    with world.browser() as browser:
        asked = browser.get("/model?version=7")
        assert asked.status_code == 303
        assert asked.headers["location"] == "/sign-in?next=%2Fmodel%3Fversion%3D7"
        form = browser.get(asked.headers["location"])
        assert form.status_code == 200
        assert 'name="next" value="/model?version=7"' in form.text
        assert "default-src 'none'" in form.headers["content-security-policy"]
        fields = {"name": "Vera", "password": PASSWORD, "next": "/model?version=7"}
        done = browser.post("/sign-in", data=fields)
        assert (done.status_code, done.headers["location"]) == (303, "/model?version=7")
        assert browser.get("/model").status_code == 200
        assert browser.get("/sign-in?next=/versions").headers["location"] == "/versions"


def test_programs_are_told_instead_of_led(world: World) -> None:
    """Facts as JSON and routes of the API answer 401 as ever, whoever asks without a key."""
    with world.browser() as browser:
        for path in ("/model?format=json", "/v1/policy"):
            answer = browser.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_the_cookie_is_for_this_server_and_its_pages_alone(world: World) -> None:
    """Over HTTP the cookie is HttpOnly and SameSite=Strict and lives as long as the browser."""
    with world.browser() as browser:
        done = browser.post("/sign-in", data={"name": "vera", "password": PASSWORD})
    name, _, rest = done.headers["set-cookie"].partition("=")
    assert name == "leadml_session"
    assert rest[43:] == "; Path=/; HttpOnly; SameSite=Strict"


def test_over_https_the_cookie_is_bound_to_the_host(world: World) -> None:
    """Behind a proxy that speaks HTTPS only a ``__Host-`` cookie is given and taken."""
    with world.browser(**{"X-Forwarded-Proto": "https"}) as browser:
        done = browser.post("/sign-in", data={"name": "vera", "password": PASSWORD})
        cookie = done.headers["set-cookie"]
        assert re.fullmatch(
            r"__Host-leadml_session=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Secure", cookie
        )
        token = cookie.partition("=")[2][:43]
        for name, status in (("__Host-leadml_session", 200), ("leadml_session", 303)):
            headers = {"Cookie": f"{name}={token}"}
            assert browser.get("/model", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("vera", {"read"}),
        ("mona", {"read", "outcomes", "policy"}),
        ("ada", {"read", "outcomes", "policy", "score", "manage"}),
    ],
)
def test_roles_open_what_they_should(world: World, name: str, opened: set[str]) -> None:
    """A viewer reads; a manager also reports outcomes and moves lines; an admin does all."""
    with world.browser(name) as browser:
        proof = {"X-CSRF-Token": world.proof(browser)}
        asked: dict[str, Any] = {
            "read": ("GET", "/v1/policy", None),
            "score": ("POST", "/v1/score", LEAD),
            "policy": ("PUT", "/v1/policy", PLAN),
        }
        for right, (method, path, body) in asked.items():
            answer = browser.request(method, path, json=body, headers=proof)
            if right in opened:
                assert answer.status_code == 200, (right, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
                assert answer.json()["detail"].startswith("the role ")
    entries = [entry for entry in world.store.audit_log() if entry["action"] == "policy.change"]
    assert {entry["actor"] for entry in entries} <= {"mona", "ada"}


def test_a_role_has_exactly_the_routes_of_its_scopes(world: World) -> None:
    """For every route and role: let in if the table says so, 403 if not; nothing else."""
    app = create_app(Settings(database_url="", max_jobs=0), held.serving())
    opened = users.OPENED_BY_ROLE
    for name, role in (("vera", "viewer"), ("mona", "manager")):
        with world.browser(name) as browser:
            headers = {"X-CSRF-Token": world.proof(browser), "Accept": "application/json"}
            for entry in app.state.entries:
                if entry.scope == "open" or entry.path.endswith("/export"):
                    continue
                path = re.sub(r"{\w+}", "nothing", entry.path)
                answer = browser.request(entry.method, path, headers=headers)
                code = answer.json().get("code") if answer.status_code == 403 else ""
                may = bool({entry.scope, entry.also} & opened[role])
                assert (code == "scope_missing") != may, (name, entry.method, entry.path)


def test_every_change_in_a_session_needs_proof(world: World) -> None:
    """No route that changes something follows a cookie alone: each wants the page's token."""
    app = create_app(Settings(database_url="", max_jobs=0), held.serving())
    with world.browser("ada") as browser:
        for entry in app.state.entries:
            if entry.method == "GET" or entry.path == "/sign-in":
                continue
            path = re.sub(r"{\w+}", "nothing", entry.path)
            for headers in ({}, {"X-CSRF-Token": "x" * 43}):
                answer = browser.request(
                    entry.method, path, headers={**headers, "Accept": "application/json"}
                )
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf_invalid"), path
        assert browser.get("/model").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_move_nothing(world: World, headers: dict[str, str]) -> None:
    """Even with the token, what a page of another site makes a browser send is refused."""
    with world.browser("ada") as browser:
        proof = {"X-CSRF-Token": world.proof(browser)}
        answer = browser.put("/v1/policy", json=PLAN, headers=proof | headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_foreign")
        form = {"name": "vera", "password": PASSWORD}
        assert browser.post("/sign-in", data=form, headers=headers).status_code == 403


def test_keys_need_no_proof(world: World) -> None:
    """A key goes on as before, with or without a browser's headers and a session beside it."""
    with world.browser("vera") as browser:
        headers = {"Authorization": f"Bearer {world.key}", "Origin": "https://crm.example"}
        assert browser.put("/v1/policy", json=PLAN, headers=headers).status_code == 200


def test_the_token_of_one_session_does_not_serve_another(world: World) -> None:
    """The proof is bound to its session."""
    with world.browser("ada") as one, world.browser("ada") as two:
        proof = {"X-CSRF-Token": world.proof(one)}
        assert one.put("/v1/policy", json=PLAN, headers=proof).status_code == 200
        assert two.put("/v1/policy", json=PLAN, headers=proof).status_code == 403


def test_signing_out_ends_the_session_for_good(world: World) -> None:
    """The cookie is taken back, and the token opens nothing any more."""
    with world.browser("vera") as browser:
        token = browser.cookies["leadml_session"]
        assert browser.post("/sign-out", data={"csrf": "x"}).status_code == 403
        done = browser.post("/sign-out", data={"csrf": world.proof(browser)})
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in?left=1")
        assert "Max-Age=0" in done.headers["set-cookie"]
        assert "leadml_session" not in browser.cookies
        assert "You are signed out" in browser.get("/sign-in?left=1").text
        headers = {"Cookie": f"leadml_session={token}"}
        assert browser.get("/model", headers=headers).status_code == 303
    with world.browser() as browser:
        assert browser.post("/sign-out").headers["location"] == "/sign-in?left=1"


def test_a_removed_person_is_out_at_once(world: World) -> None:
    """The next request after a removal asks who it is."""
    world.store.people.add("tom", PASSWORD, "admin")
    with world.browser("tom") as browser:
        assert browser.get("/model").status_code == 200
        world.store.people.remove("tom")
        assert browser.get("/model").status_code == 303


def test_one_changes_ones_own_password(world: World) -> None:
    """The old one is asked for; other sessions end, this one goes on, and all of it is audited."""
    store, better = world.store, "four ripe cherries"
    store.people.add("carl", PASSWORD, "viewer")
    with world.browser("carl") as elsewhere, world.browser("carl") as here:
        page = here.get("/account")
        assert "Signed in as carl" in page.text
        assert "/account" in here.get("/model").text
        form = {"csrf": world.proof(here, "/account"), "old": PASSWORD, "new": better}
        for wrong, said in (
            ({"again": better + "!"}, "The new passwords differ."),
            ({"old": "not mine at all", "again": better}, "The present password is not right."),
            ({"new": "short", "again": "short"}, "has 10 to 512 characters."),
        ):
            answer = here.post("/account", data=form | wrong)
            assert answer.status_code in (403, 422), wrong
            assert said in answer.text
        assert here.post("/account", data={**form, "csrf": "x", "again": better}).status_code == 403
        answer = here.post("/account", data=form | {"again": better})
        assert answer.status_code == 303
        assert "Your password is changed." in here.get(answer.headers["location"]).text
        assert elsewhere.get("/account").status_code == 303  # to the sign-in
    with world.browser() as later:
        assert (
            later.post("/sign-in", data={"name": "carl", "password": PASSWORD}).status_code == 403
        )
        assert later.post("/sign-in", data={"name": "carl", "password": better}).status_code == 303
    changed = [e for e in store.audit_log() if e["action"] == "user.password"]
    assert changed[-1]["actor"] == "carl"
    store.people.remove("carl")


def test_a_form_sent_after_the_session_says_so(world: World) -> None:
    """Whoever was signed out meanwhile is told that nothing changed, and led back to the page."""
    with world.browser() as late:
        page = f"{world.address}/thresholds?basis=capacity&capacity_per_week=7"
        answer = late.post("/thresholds", data={"note": "x"}, headers={"Referer": page})
        foreign = late.post("/thresholds", data={}, headers={"Referer": "http://evil.example/x"})
    assert answer.status_code == 401
    assert "You are signed out" in answer.text
    assert "/sign-in?next=%2Fthresholds%3Fbasis%3Dcapacity%26capacity_per_week%3D7" in answer.text
    assert 'href="/sign-in?next=%2F"' in foreign.text


def test_an_address_without_a_page_tells_strangers_nothing(world: World) -> None:
    """Who is not signed in gets a page without model, lines or navigation."""
    with world.browser() as stranger:
        lost = stranger.get("/wp-login.php")
    assert lost.status_code == 404
    assert "There is no page at this address." in lost.text
    assert "/thresholds" not in lost.text
    assert "Policy" not in lost.text


def test_a_key_has_no_account(world: World) -> None:
    """The account belongs to people; a program is told so."""
    with world.browser(Authorization=f"Bearer {world.key}") as program:
        assert program.get("/account").status_code == 404
        assert program.post("/account", data={"csrf": ""}).status_code in (403, 404)


def test_wrong_passwords_are_answered_and_slowed(world: World) -> None:
    """Wrong names and passwords get the same page; after five the next one waits."""
    with world.browser() as browser:
        pages = []
        for name in ("vera", "nobody-here"):
            answer = browser.post("/sign-in", data={"name": name, "password": "a wrong one"})
            assert answer.status_code == 403
            assert "session" not in answer.headers.get("set-cookie", "")
            pages.append(re.sub(r'value="[^"]*"', "", answer.text))
        assert pages[0] == pages[1]
        assert "do not belong together" in pages[0]
        form = {"name": "nobody-else", "password": "a wrong one"}
        for _ in range(5):
            assert browser.post("/sign-in", data=form).status_code == 403
        slowed = browser.post("/sign-in", data=form)
        assert slowed.status_code == 429
        assert 10 <= int(slowed.headers["retry-after"]) <= 15


def test_programs_get_problems(world: World) -> None:
    """Who does not ask for a page is told by a problem document, also when to come back."""
    form = {"name": "nobody-at-all", "password": "a wrong one"}
    for status, code in [(403, "sign_in_failed")] * 5 + [(429, "sign_in_throttled")]:
        answer = httpx.post(f"{world.address}/sign-in", data=form)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert 10 <= int(answer.headers["retry-after"]) <= 15


class Parts(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.found.append((tag, dict(attributes)))


def scripts() -> Iterator[str]:
    """Two hundred texts that would run where somebody forgot to escape."""
    bodies = ("alert(1)", "fetch('//evil.example')", "document.title='x'", "location='//evil'")
    forms = (
        *("<script>{}</script>", '"><script>{}</script>', "'><script>{}</script>"),
        *('"><img src=x onerror={}>', "<svg onload={}>", '" autofocus onfocus="{}'),
        *("' onmouseover='{}", "javascript:{}", "</title><script>{}</script>", "{{{{{}}}}}"),
        *("</form><form action=//evil>{}", "<iframe srcdoc='<script>{}</script>'>"),
    )
    for before in ("", "x", "&lt;", "\u2028"):
        for form in forms:
            for body in bodies:
                yield before + form.format(body)
    for name in ("body", "math", "a href=javascript:alert(1)", "style", "object", "embed", "link"):
        yield f"<{name}>"
        yield f'">< {name}><{name} onclick=alert(1)'


def test_the_form_shows_no_foreign_text(world: World) -> None:
    """Two hundred script texts typed as name and goal come back as text, never as markup."""
    texts = list(scripts())
    assert len(texts) >= 200
    with world.browser() as browser:
        plain = Parts(browser.post("/sign-in", data={"name": "x", "password": "y"}).text).found
        for text in texts:
            form = {"name": text, "password": text, "next": f"/{text}"}
            found = Parts(browser.post("/sign-in", data=form).text).found
            assert [tag for tag, _ in found] == [tag for tag, _ in plain]
            assert [set(given) for _, given in found] == [set(given) for _, given in plain]
            values = {given.get("name"): given.get("value") for _, given in found}
            assert values["name"] == text[:100]
    world.store._write(lambda on: on.execute(tables.attempts.delete()))


@pytest.mark.parametrize(
    "goal",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%0d%0aset-cookie:x=1\r\nx: y",
        "javascript:alert(1)",
        "",
        "model",
        "/sign-in",
        "/ä",
        "/" + "a" * 2000,
    ],
)
def test_one_never_leaves_the_server(world: World, goal: str) -> None:
    """After signing in one goes to a page of this server, whatever the address said."""
    assert next_of(goal) == "/"
    with world.browser() as browser:
        form = {"name": "vera", "password": PASSWORD, "next": goal}
        assert browser.post("/sign-in", data=form).headers["location"] == "/"


def test_a_link_of_another_site_finds_the_session(world: World) -> None:
    """A browser that keeps its strict cookie back on such a link comes once more from here."""
    with world.browser() as browser:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = browser.get('/model?version="7"&a=1', headers=headers)
        assert answer.status_code == 200
        assert 'content="0;url=/model?version=%227%22&amp;a=1"' in answer.text
        assert "Model" not in answer.text
        headers = {"Sec-Fetch-Site": "same-origin"}
        assert browser.get("/model", headers=headers).status_code == 303


def test_a_viewer_is_told_what_is_missing_on_a_page(world: World) -> None:
    """What a role does not open is answered as a page for people."""
    with world.browser("vera") as browser:
        form = {"csrf": world.proof(browser, "/model"), "version": "8", "reason": "because"}
        answer = browser.post("/versions/promote", data=form)
        assert answer.status_code == 403
        assert "The role viewer does not open this" in answer.text


# --- while nothing protects the server --------------------------------------------------


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server without keys and people."""
    folder = tmp_path_factory.mktemp("opened")
    settings = Settings(
        database_url=f"sqlite:///{folder / 'leadml.db'}", max_jobs=0, tracking_uri=""
    )
    with serve(settings, held.serving()) as address:
        yield address


def test_without_people_no_sign_in_is_needed(opened: str) -> None:
    """An open server shows its pages and says so on each; the sign-in leads on."""
    with httpx.Client(base_url=opened, headers=PAGE) as browser:
        page = browser.get("/model")
        assert page.status_code == 200
        assert "No key, no user" in page.text
        assert "leadml users add" in page.text
        assert browser.get("/sign-in?next=/versions").headers["location"] == "/versions"


def test_a_server_that_is_open_to_others_says_so(tmp_path: Path) -> None:
    """With LEADML_ALLOW_OPEN no page claims that this machine alone is answered."""
    for allow_open, said in ((True, "open to whoever reaches"), (False, "this machine alone")):
        settings = Settings(database_url="", max_jobs=0, tracking_uri="", allow_open=allow_open)
        with TestClient(create_app(settings, held.serving()), headers=PAGE) as client:
            assert said in client.get("/model").text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("127.9.9.9", 200),
        ("[::1]:8000", 200),
        ("leadml.localhost", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("10.0.0.7", 403),
        ("[::1", 200),
        ("0.0.0.0", 403),
    ],
)
def test_an_open_server_answers_to_names_of_this_machine(
    opened: str, host: str, status: int
) -> None:
    """Another name that leads here (DNS rebinding) is answered 403 host_refused."""
    for path in ("/model", "/v1/policy", "/health/live"):
        answer = httpx.get(opened + path, headers={"Host": host})
        assert answer.status_code == status, path
        if status == 403:
            assert answer.json()["code"] == "host_refused"
    answer = httpx.post(f"{opened}/v1/score", json=LEAD, headers={"Host": host})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "SELF"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, 403),
    ],
)
def test_other_sites_reach_no_open_server(
    opened: str, headers: dict[str, str], status: int
) -> None:
    """A page of another site cannot make a browser change anything on an open server."""
    sent = {name: opened if value == "SELF" else value for name, value in headers.items()}
    for method, path, body in (("POST", "/v1/score", LEAD), ("PUT", "/v1/policy", PLAN)):
        answer = httpx.request(method, opened + path, json=body, headers=sent)
        assert answer.status_code == status, path


def test_the_address_that_people_use_is_a_name_too(tmp_path: Path) -> None:
    """Behind a proxy on this machine the host of LEADML_PUBLIC_URL is answered."""
    settings = Settings(
        database_url="", max_jobs=0, public_url="https://Leads.example.com", tracking_uri=""
    )
    client = TestClient(
        create_app(settings, held.serving()), base_url="http://127.0.0.1", client=("127.0.0.1", 9)
    )
    with client:
        for host, status in (("leads.example.com", 200), ("other.example.com", 403)):
            answer = client.get("/v1/model", headers={"Host": host})
            # the test client takes the server's address from its own base URL
            assert answer.status_code == status


def test_a_server_with_keys_only_says_how_to_make_the_first_account(tmp_path: Path) -> None:
    """Where a key closes the server and nobody can sign in, the page names the command."""
    url = f"sqlite:///{tmp_path / 'leadml.db'}"
    store = Store(url)
    store.migrate()
    store.create_key("crm", ["score"])
    store.close()
    settings = Settings(database_url=url, max_jobs=0, tracking_uri="")
    with TestClient(create_app(settings, held.serving()), headers=PAGE) as client:
        page = client.get("/versions")  # follows to the sign-in
        assert page.status_code == 200
        assert "Nobody can sign in yet" in page.text
        assert "leadml users add NAME --role admin" in page.text


def test_without_its_database_a_closed_server_lets_nobody_in(tmp_path: Path) -> None:
    """While the memory does not answer, pages and the sign-in are 503, never open."""
    url = f"sqlite:///{tmp_path / 'nowhere' / 'leadml.db'}"
    settings = Settings(database_url=url, max_jobs=0, tracking_uri="")
    with TestClient(create_app(settings, held.serving()), headers=PAGE) as client:
        cookie = {"Cookie": f"leadml_session={'a' * 43}"}
        for path in ("/model", "/sign-in"):
            for headers in ({}, cookie):
                assert client.get(path, headers=headers).status_code == 503
        form = {"name": "anna", "password": PASSWORD}
        assert client.post("/sign-in", data=form).status_code == 503
