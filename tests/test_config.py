import pytest

from gateway.config import Settings
from gateway.domain.errors import Refused

KEY = "1:" + "k" * 43
OWN_DATABASE = {
    "DATABASE_URL": "postgresql://gateway:hidden@db/gateway",
    "GATEWAY_MASTER_KEYS": KEY,
    "GATEWAY_INDEX_KEYS": f"b{KEY},a{KEY}",
}


def test_nothing_set_means_embedded_servers_on_loopback() -> None:
    settings = Settings.from_env({})
    assert settings.embedded
    assert (settings.host, settings.public_url) == ("127.0.0.1", "http://127.0.0.1:8000")


def test_a_database_of_ones_own_is_not_embedded() -> None:
    assert not Settings.from_env(OWN_DATABASE).embedded


def test_everything_wrong_is_told_at_once() -> None:
    wrong = {"GATEWAY_PORT": "70000", "GATEWAY_LEASE_SECONDS": "-1", "GATEWAY_REGION": "vietnam", "REDIS_URL": "localhost"}
    with pytest.raises(Refused) as refused:
        Settings.from_env(wrong)
    assert all(name in str(refused.value) for name in wrong)


def test_a_database_of_ones_own_needs_keys_from_configuration() -> None:
    with pytest.raises(Refused, match=r"(?s)GATEWAY_MASTER_KEYS.*GATEWAY_INDEX_KEYS"):
        Settings.from_env({"DATABASE_URL": OWN_DATABASE["DATABASE_URL"]})


@pytest.mark.parametrize("keys", ["secret", "1:short", KEY + ",", ":" + KEY])
def test_a_malformed_key_is_refused_and_not_repeated(keys: str) -> None:
    with pytest.raises(Refused) as refused:
        Settings.from_env({**OWN_DATABASE, "GATEWAY_MASTER_KEYS": keys})
    assert keys not in str(refused.value)


def test_settings_can_be_shown_without_their_secrets() -> None:
    shown = repr(Settings.from_env(OWN_DATABASE))
    assert not any(secret in shown for secret in ("hidden", *OWN_DATABASE.values()))


@pytest.mark.parametrize("url", ["sms.example.org", "ftp://x", "https://x/path", "https://x?a=b", "https://u:p@x", "https://"])
def test_a_public_address_is_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(Refused, match="GATEWAY_PUBLIC_URL"):
        Settings.from_env({"GATEWAY_PUBLIC_URL": url})


def test_a_public_address_loses_its_last_slash() -> None:
    assert Settings.from_env({"GATEWAY_PUBLIC_URL": "https://sms.example.org/"}).public_url == "https://sms.example.org"


@pytest.mark.parametrize("value", ["1e3", "٣", "nan", "1,5", "", " "])
def test_numbers_are_plain_digits_and_nothing_means_the_default(value: str) -> None:
    if value.strip():
        with pytest.raises(Refused, match="GATEWAY_POLL_SECONDS"):
            Settings.from_env({"GATEWAY_POLL_SECONDS": value})
    else:
        assert Settings.from_env({"GATEWAY_POLL_SECONDS": value}).poll_seconds == 1


MAIL = {"GATEWAY_MAIL_SERVER": "smtps://u:p@mail.example.org", "GATEWAY_MAIL_FROM": "g@example.org", "GATEWAY_MAIL_TO": "a@example.org, b@example.org"}
HOOK = {"GATEWAY_HOOK_URL": "https://example.org/x", "GATEWAY_HOOK_KEY": "k" * 32}


def test_a_second_way_is_read_and_its_secrets_are_not_shown() -> None:
    settings = Settings.from_env(MAIL | HOOK)
    assert (settings.mail_to, settings.hook_network) == (("a@example.org", "b@example.org"), "public")
    assert not any(secret in repr(settings) for secret in (*MAIL.values(), *HOOK.values(), "a@example.org"))


@pytest.mark.parametrize("missing", [*MAIL, *HOOK])
def test_a_second_way_that_is_set_up_by_half_is_refused(missing: str) -> None:
    with pytest.raises(Refused, match=missing):
        Settings.from_env({name: value for name, value in (MAIL | HOOK).items() if name != missing})


@pytest.mark.parametrize("wrong", [
    {"GATEWAY_HOOK_URL": "http://example.org/x"}, {"GATEWAY_HOOK_URL": "file:///etc/passwd"}, {"GATEWAY_HOOK_KEY": "short"},
    {"GATEWAY_HOOK_NETWORK": "private"}, {"GATEWAY_MAIL_TO": "nobody"}, {"GATEWAY_MAIL_TO": "a@b\r\nBcc:x@y"}, {"GATEWAY_MAIL_SERVER": "http://x"},
])  # fmt: skip
def test_a_second_way_that_is_set_up_wrongly_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))):
        Settings.from_env(MAIL | HOOK | wrong)


def test_a_webhook_on_this_machine_has_to_be_allowed() -> None:
    assert Settings.from_env(HOOK | {"GATEWAY_HOOK_URL": "http://127.0.0.1:9/x", "GATEWAY_HOOK_NETWORK": "any"}).hook_network == "any"
