"""leadml.store.people: letting people in, on SQLite and PostgreSQL."""

import hashlib
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from leadml.errors import ConfigError, SignInFailed, SignInThrottled, UserUnknown
from leadml.store import Store, tables, users
from leadml.store.records import now
from leadml.store.sessions import ABSOLUTE, SLIDING

PASSWORD = "three green apples"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch, request):
    """Passwords are hashed by the same code with small settings, unless a test asks otherwise."""
    if "in_earnest" not in request.fixturenames:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        known = quick, quick.hash("nobody knows it")
        monkeypatch.setattr(users, "_hasher", lambda: known)


@pytest.fixture
def in_earnest():
    """Passwords are hashed with the settings of users."""


@pytest.fixture
def people(store):
    """A store in which Anna is a manager."""
    store.people.add("anna", PASSWORD, "manager")
    return store.people


def rows(store, table):
    """All rows of a table."""
    with store._database.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_a_person_signs_in_and_out(store, people):
    """The right password opens a session, which ends when its person says so."""
    token, session = people.sign_in(" Anna ", PASSWORD)
    assert (session.name, session.role) == ("anna", "manager")
    assert session.scopes == {"read", "outcomes", "policy"}
    assert people.session(token) == session
    people.sign_out(token)
    assert people.session(token) is None
    people.sign_out(token)
    acts = [(entry["actor"], entry["action"], entry["subject"]) for entry in store.audit_log()]
    assert acts == [
        ("cli", "user.add", "anna"),
        ("anna", "session.open", "anna"),
        ("anna", "session.close", "anna"),
    ]


def test_neither_password_nor_token_nor_address_is_kept(in_earnest, store, people, tmp_path):
    """The database holds hashes: argon2id of the password, SHA-256 of the token."""
    token, _ = people.sign_in("anna", PASSWORD, "203.0.113.9")
    with pytest.raises(SignInFailed):
        people.sign_in("anna", "a wrong password", "203.0.113.9")
    assert rows(store, tables.users)[0]["password"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert rows(store, tables.sessions)[0]["digest"] == digest
    for secret in (PASSWORD, token, "a wrong password", "203.0.113.9"):
        for table in tables.metadata.sorted_tables:
            assert secret not in str(rows(store, table))
        for file in tmp_path.glob("leadml.db*"):
            assert secret.encode() not in file.read_bytes()


OTHERS = (
    ("anna", "three green apple"),
    ("anna", ""),
    ("ben", PASSWORD),
    ("", ""),
    ("ü\x00", "x" * 999),
    ("\ud800", "\udfff" * 12),
)


def test_others_stay_outside(people):
    """A wrong password and an unknown name are refused in the same words."""
    for name, password in OTHERS:
        with pytest.raises(SignInFailed) as refused:
            people.sign_in(name, password)
        assert refused.value.detail == "name and password do not belong together"


def test_a_password_typed_as_name_is_not_noted(store, people):
    """The audit log names people that exist and nothing else that was typed."""
    for name in ("anna", "my secret phrase"):
        with pytest.raises(SignInFailed):
            people.sign_in(name, "a wrong password")
    refused = [entry for entry in store.audit_log() if entry["action"] == "session.refuse"]
    assert [entry["subject"] for entry in refused] == ["anna", "nobody"]


def test_an_unknown_name_takes_as_long_as_a_wrong_password(in_earnest, people):
    """The work of a refusal, so its time, does not tell whether somebody has the name."""

    def seconds(name):
        start = time.process_time()  # of all threads, however busy the machine is
        with pytest.raises(SignInFailed):
            people.sign_in(name, "a wrong password")
        return time.process_time() - start

    seconds("nobody-0")
    known = [seconds("anna") for _ in range(3)]
    unknown = [seconds(f"nobody-{turn}") for turn in range(1, 4)]
    assert 0.6 < statistics.median(known) / statistics.median(unknown) < 1.6


def test_five_failures_make_the_next_one_wait(people):
    """After five failures in a row even the right password waits, for known names and others."""
    for name in ("anna", "ben"):
        for _ in range(5):
            with pytest.raises(SignInFailed):
                people.sign_in(name, "a wrong password")
        with pytest.raises(SignInThrottled) as refused:
            people.sign_in(name, PASSWORD)
        assert 10 <= refused.value.retry_after_s <= 15
    people.set_password("anna", PASSWORD)
    assert people.sign_in("anna", PASSWORD)


def test_a_success_forgets_the_failures(people):
    """Somebody who mistypes now and then is never made to wait."""
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(SignInFailed):
                people.sign_in("anna", "a wrong password")
        people.sign_in("anna", PASSWORD)


def test_guesses_at_once_are_all_counted(database_url):
    """Twenty guesses at the same moment from two processes get five looks, not twenty."""
    stores = [Store(database_url, wait_s=20), Store(database_url, wait_s=20)]
    stores[0].people.add("anna", PASSWORD, "viewer")

    def guess(number):
        try:
            stores[number % 2].people.sign_in("anna", f"a wrong password {number}")
        except SignInThrottled:
            return "waits"
        except SignInFailed:
            return "looked at"

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(guess, range(20)))
    assert found.count("looked at") == 5
    assert found.count("waits") == 15
    for store in stores:
        store.close()


def test_an_address_that_guesses_at_many_names_waits(store, monkeypatch):
    """Failures are counted by address too, whatever the names; other addresses go on."""
    store.people.add("anna", PASSWORD, "viewer")
    monkeypatch.setattr("leadml.store.users.verified", lambda password, known: (False, None))
    for number in range(51):
        with pytest.raises(SignInFailed):
            store.people.sign_in(f"name-{number}", "a wrong password", "203.0.113.9")
    with pytest.raises(SignInThrottled):
        store.people.sign_in("anna", PASSWORD, "203.0.113.9")
    with pytest.raises(SignInFailed):
        store.people.sign_in("anna", "a wrong password", "203.0.113.10")


@pytest.mark.parametrize("change", ["password", "role", "remove"])
def test_a_change_ends_all_sessions(people, change):
    """Whoever gets another password or role, or is removed, is signed out everywhere."""
    tokens = [people.sign_in("anna", PASSWORD)[0] for _ in range(2)]
    if change == "password":
        people.set_password("anna", "three red apples")
    elif change == "role":
        people.set_role("anna", "viewer")
    else:
        people.remove("anna")
    assert [people.session(token) for token in tokens] == [None, None]


def test_a_change_in_one_process_holds_in_another(database_url):
    """A session is looked up anew each time: no process lets in who was removed elsewhere."""
    here, there = Store(database_url), Store(database_url)
    here.people.add("anna", PASSWORD, "viewer")
    token, _ = here.people.sign_in("anna", PASSWORD)
    assert there.people.session(token)
    here.people.remove("anna")
    assert there.people.session(token) is None
    here.close()
    there.close()


def test_a_session_slides_and_ends(store, people):
    """Use keeps a session open for twelve hours more, for seven days at most."""
    token, session = people.sign_in("anna", PASSWORD)
    start = session.created_at
    assert people.session(token, start + SLIDING - timedelta(seconds=1))
    store._write(lambda _: None)  # behind the note of that use
    assert people.session(token, start + SLIDING + timedelta(hours=1))
    store._write(lambda _: None)
    assert people.session(token, start + 3 * SLIDING) is None
    at = start
    while at < start + ABSOLUTE - SLIDING:
        at += SLIDING / 2
        assert people.session(token, at)
        store._write(lambda _: None)
    assert people.session(token, start + ABSOLUTE - timedelta(minutes=1))
    assert people.session(token, start + ABSOLUTE) is None


def test_ended_sessions_are_cleared_away(store, people):
    """A sign-in deletes sessions that ended."""
    people.sign_in("anna", PASSWORD)
    old = {"seen_us": 0, "created_us": 0}
    store._write(lambda on: on.execute(sa.update(tables.sessions).values(**old)))
    people.sign_in("anna", PASSWORD)
    assert len(rows(store, tables.sessions)) == 1


def test_other_tokens_open_nothing(people):
    """What is no token of ours belongs to nobody."""
    for token in ("", "x", "A" * 43, "ü" * 43, "a" * 10_000):
        assert people.session(token) is None
        people.sign_out(token)


UNUSABLE = (
    ("anna", PASSWORD, "viewer"),
    ("", PASSWORD, "viewer"),
    ("an na", PASSWORD, "viewer"),
    ("<b>", PASSWORD, "viewer"),
    ("a" * 101, PASSWORD, "viewer"),
    ("ben", "too short", "viewer"),
    ("ben", "x" * 513, "viewer"),
    ("benjamin.long", "Benjamin.Long", "viewer"),
    ("benjaminlong@x.org", "benjaminlong", "viewer"),
    ("ben", PASSWORD, "owner"),
)


def test_what_cannot_be_used_is_refused(people):
    """Names are plain and unique, passwords long enough, roles known."""
    for name, password, role in UNUSABLE:
        with pytest.raises(ConfigError):
            people.add(name, password, role)
    assert [user.name for user in people.listed()] == ["anna"]


def test_unknown_people_cannot_be_changed(people):
    """Only somebody who is there can get another password or role, or be removed."""
    for act in (
        lambda: people.set_password("ben", PASSWORD),
        lambda: people.set_role("ben", "viewer"),
        lambda: people.remove("ben"),
    ):
        with pytest.raises(UserUnknown):
            act()


def test_people_close_the_api_for_good(store):
    """From the first person on callers say who they are, also after the last one is removed."""
    assert not store.is_guarded()
    store.people.add("anna", PASSWORD)
    assert store.is_guarded()
    store.people.remove("anna")
    assert store.people.listed() == []
    assert store.is_guarded()


def test_a_list_shows_no_hash(people):
    """Names, roles and times are shown; nothing of the password is."""
    people.sign_in("anna", PASSWORD)
    [user] = people.listed()
    assert set(user.as_dict()) == {"name", "role", "created_at", "changed_at", "seen_at"}
    assert "argon2" not in repr(user)
    assert now() - user.seen_at < timedelta(minutes=5)


def test_a_weaker_hash_is_renewed(in_earnest, store, people):
    """A hash made with weaker settings is replaced when its owner signs in."""
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    store._write(lambda on: on.execute(sa.update(tables.users).values(password=weak)))
    people.sign_in("anna", PASSWORD)
    assert rows(store, tables.users)[0]["password"].startswith("$argon2id$v=19$m=65536,")
    people.sign_in("anna", PASSWORD)


def test_letters_composed_differently_are_the_same_password(people):
    """A password with ü is right whether the keyboard sends one character or two."""
    people.set_password("anna", "grüne Äpfel im Korb")
    people.sign_in("anna", "gru\u0308ne A\u0308pfel im Korb")
