"""leadml.store.keyring."""

import base64
import re
import time
from datetime import timedelta

import pytest

from leadml.errors import ConfigError, NotFound, StoreUnavailable
from leadml.store import Store
from leadml.store.keyring import Key
from leadml.store.records import now


def test_a_key_has_256_random_bits_and_only_its_hash_is_kept(store, tmp_path):
    """The text of a key is shown once: neither rows nor bytes of the database hold its secret."""
    text, key = store.create_key("hubspot", ["score", "read"])
    _, prefix, secret = text.split("_", 2)
    assert prefix == key.prefix
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert store.verify_key(text) == key
    assert (key.name, key.scopes) == ("hubspot", {"score", "read"})
    assert secret not in str([found.as_dict() for found in store.list_keys()])
    assert secret not in str(store.audit_log())
    for file in tmp_path.glob("leadml.db*"):
        assert secret.encode() not in file.read_bytes()


def test_keys_differ(store):
    """No two keys are alike."""
    assert len({store.create_key("a", ["read"])[0] for _ in range(20)}) == 20


@pytest.mark.parametrize("text", ["", "leadml_", "leadml_0123456789ab_" + "A" * 43, "ü" * 99])
def test_other_texts_open_nothing(store, text):
    """What is no key, or is none of ours, opens nothing."""
    assert store.verify_key(text) is None


def test_a_changed_character_opens_nothing(store):
    """A key with any one character changed is refused."""
    text, _ = store.create_key("a", ["read"])
    for place in range(7, len(text), 5):
        wrong = "0" if text[place] != "0" else "1"
        assert store.verify_key(text[:place] + wrong + text[place + 1 :]) is None


def test_a_revoked_key_is_refused_everywhere_within_seconds(database_url):
    """Revocation holds at once in the same process and soon in every other one."""
    here, there = Store(database_url), Store(database_url, key_fresh_s=0.3)
    text, key = here.create_key("a", ["read"])
    assert here.verify_key(text)
    assert there.verify_key(text)
    assert here.revoke_key(key.prefix).revoked_at is not None
    assert here.verify_key(text) is None
    time.sleep(0.35)
    assert there.verify_key(text) is None
    here.close()
    there.close()


def test_no_store_trusts_a_key_longer_than_five_seconds(database_url):
    """The memory for keys is bounded by the promise of five seconds."""
    store = Store(database_url, key_fresh_s=60)
    assert store._keys._fresh_s == 5.0
    store.close()


def test_a_known_key_is_not_asked_for_again(store):
    """Within its moment of freshness a key costs no look into the database."""
    text, _ = store.create_key("a", ["read"])
    store.verify_key(text)
    start = time.process_time()
    for _ in range(1000):
        store.verify_key(text)
    assert time.process_time() - start < 0.2


def test_rotation_overlaps(store):
    """Old and new key both open during the overlap; after it only the new one does."""
    old, key = store.create_key("a", ["score"])
    new, successor = store.rotate_key(key.prefix, overlap_s=1.5)
    assert store.verify_key(old)
    assert store.verify_key(new)
    assert (successor.replaces, successor.scopes) == (key.prefix, key.scopes)
    time.sleep(1.6)
    assert store.verify_key(old) is None
    assert store.verify_key(new)
    with pytest.raises(NotFound):
        store.rotate_key(key.prefix)


def test_rotation_never_lengthens_a_life(store):
    """A key that ends soon does not last longer because it was rotated."""
    end = now() + timedelta(minutes=1)
    _, key = store.create_key("a", ["score"], expires_at=end)
    _, successor = store.rotate_key(key.prefix, overlap_s=3600)
    assert {found.prefix: found.expires_at for found in store.list_keys()} == {
        key.prefix: end,
        successor.prefix: end,
    }


def test_a_key_ends_at_its_very_moment():
    """A key is good until it expires, and no longer."""
    end = now() + timedelta(hours=1)
    key = Key("0" * 12, "crm", frozenset({"read"}), now(), expires_at=end)
    assert key.is_active(end - timedelta(microseconds=1))
    assert not key.is_active(end)


def test_an_expired_key_opens_nothing(store):
    """A key ends by itself, also while it is remembered."""
    text, _ = store.create_key("a", ["read"], expires_at=now() + timedelta(seconds=1.5))
    assert store.verify_key(text)
    time.sleep(1.6)
    assert store.verify_key(text) is None


@pytest.mark.parametrize("scopes", [[], ["everything"], ["score", "admin"]])
def test_scopes_are_named(store, scopes):
    """A key without a scope or with an unknown one is not made."""
    with pytest.raises(ConfigError):
        store.create_key("a", scopes)


def test_unknown_prefixes_are_not_found(store):
    """Only a key that is there can be revoked."""
    with pytest.raises(NotFound):
        store.revoke_key("nothing")


def test_every_act_on_a_key_is_noted(store):
    """Making, rotating and revoking stand in the audit log."""
    _, key = store.create_key("a", ["score"], by="anna")
    _, successor = store.rotate_key(key.prefix, by="ben")
    store.revoke_key(successor.prefix, by="eve")
    noted = [(e["actor"], e["action"], e["subject"]) for e in store.audit_log()]
    assert noted == [
        ("anna", "key.create", key.prefix),
        ("ben", "key.rotate", key.prefix),
        ("eve", "key.revoke", successor.prefix),
    ]


def test_without_a_database_no_key_is_trusted(tmp_path):
    """A database that is gone refuses keys with 503 rather than let anybody in."""
    store = Store(f"sqlite:///{tmp_path / 'gone' / 'leadml.db'}")
    with pytest.raises(StoreUnavailable):
        store.verify_key("leadml_0123456789ab_" + "A" * 43)
    store.close()


def test_keys_look_like_keys(store):
    """Scanners for leaked secrets can know a key by its form."""
    text, _ = store.create_key("a", ["read"])
    assert re.fullmatch(r"leadml_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
