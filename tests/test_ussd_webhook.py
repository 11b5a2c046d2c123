"""/c/<channel>/ussd over HTTP: both protocols, wrong posts, what a failing database shows, the handset."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from gateway.channels import simulator
from gateway.domain.dialogues import SCREEN
from gateway.store.base import unit_of_work
from gateway.vault import Vault
from tests import builders, simulated
from tests.simulated import Simulated
from tests.test_cli_phone import phone

NUMBER = "+84912345678"
SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"


@pytest.fixture
def here(engine: Engine, vault: Vault, redis_url: str) -> Iterator[Simulated]:
    with simulated.running(engine, vault, redis_url) as running:
        yield running


@pytest.fixture
def menus(here: Simulated) -> str:
    """The address of a channel that has menus alone."""
    world = here.world
    channel_id = builders.channel(world.engine, world.vault, world.now, world.unit_id, "africastalking", name="at",
                                  settings={"secret": SECRET}, texts=False)  # fmt: skip
    return f"{here.url}/c/{channel_id}/ussd"


def post(url: str, form: dict[str, str] | bytes, headers: dict[str, str] | None = None) -> tuple[int, str]:
    try:
        data = form if isinstance(form, bytes) else urlencode(form).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def form(text: str, session: str = "A1") -> dict[str, str]:
    return {"sessionId": session, "serviceCode": "*123#", "phoneNumber": NUMBER, "networkCode": "1", "text": text}


def test_a_form_gets_con_and_end(here: Simulated, menus: str) -> None:
    here.world.client(NUMBER, language="en")
    status, body = post(f"{menus}?key={SECRET}", form(""))
    assert (status, body.splitlines()[0]) == (200, "CON Choose:")
    assert post(f"{menus}?key={SECRET}", form("4"))[1].startswith("END Noted.")
    assert here.world.value("SELECT reason FROM flags") == "callback"


@pytest.mark.parametrize(("query", "body", "status"), [
    ("", form(""), 403), ("?key=wrong", form(""), 403), (f"?key={SECRET}", b"", 400), (f"?key={SECRET}", b"\xff=\x00&%%%", 400),
    (f"?key={SECRET}", form("") | {"phoneNumber": "x"}, 400),
])  # fmt: skip
def test_a_wrong_post_is_refused_and_is_no_fault_of_ours(menus: str, query: str, body: dict[str, str] | bytes, status: int) -> None:
    assert post(menus + query, body)[0] == status


@pytest.mark.parametrize("typed", ["*", "**", "1**2", "#", "99", "-1", "1*1*1*1*1*1", "\x00", "đ*ế", "1*" * 900, "𝟏", "²", "0*98*0*98"])
def test_no_text_is_too_odd_for_a_screen(menus: str, typed: str) -> None:
    status, body = post(f"{menus}?key={SECRET}", form(typed))
    assert status == 200 and body.startswith(("CON ", "END "))


_forms = st.dictionaries(
    st.sampled_from(["sessionId", "phoneNumber", "text", "networkCode", "serviceCode", "x"]),
    st.one_of(st.text(max_size=30), st.sampled_from([NUMBER, "A1", "", "1*1", "+", "0" * 400, "1*1234*1234", "STOP*0", "\x00"])), max_size=6,
)  # fmt: skip
_jsons = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["session", "from", "code", "text"]), inner, max_size=4)),
    max_leaves=8,
)
_posts = st.one_of(_jsons, st.fixed_dictionaries({"session": st.text(max_size=8), "from": st.just(NUMBER), "text": st.text(max_size=40)}))
_walks = st.lists(st.one_of(st.sampled_from([*"012345678", "98", "1234", "*", "#", "stop", "xin chào", "🙂" * 40]), st.text(max_size=8)), max_size=8)


def check_screen(status: int, text: str) -> None:
    """A screen fits any phone; a refusal is the poster's own fault, never ours."""
    if status != 200:
        assert 400 <= status < 500, status
        return
    assert SCREEN.hold(text), text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.one_of(st.binary(max_size=200), _forms.map(lambda form: urlencode(form, errors="surrogatepass").encode())), key=st.booleans())
def test_whatever_is_posted_as_a_form_gets_a_screen_or_a_refusal(menus: str, raw: bytes, key: bool) -> None:
    status, body = post(f"{menus}?key={SECRET}" if key else menus, raw)
    assert status != 200 or body.startswith(("CON ", "END "))
    check_screen(status, body[4:])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.one_of(st.binary(max_size=200), _posts.map(lambda value: json.dumps(value).encode())), signed=st.booleans())
def test_whatever_is_posted_as_json_gets_a_screen_or_a_refusal(here: Simulated, raw: bytes, signed: bool) -> None:
    at = str(int(time.time()))
    headers = {"X-Timestamp": at, "X-Signature": simulator.sign("s3cret", at, raw)} if signed else {}
    status, body = post(f"{here.url}/c/{here.world.channel_id}/ussd", raw, headers)
    check_screen(status, json.loads(body)["screen"] if status == 200 else "")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(presses=_walks, session=st.uuids())
def test_whatever_is_pressed_every_screen_fits(menus: str, presses: list[str], session: UUID) -> None:
    for length in range(len(presses) + 1):
        status, body = post(f"{menus}?key={SECRET}", form("*".join(presses[:length]), str(session)))
        assert status == 200
        check_screen(status, body[4:])


def test_a_crisis_on_a_channel_of_menus_is_texted_through_another_one(here: Simulated, menus: str) -> None:
    here.world.client(NUMBER, language="en")
    assert "115" in post(f"{menus}?key={SECRET}", form("i want to die"))[1]
    (row,) = here.world.rows("SELECT channel_id FROM outbound WHERE purpose = 'crisis_answer'")
    assert row.channel_id == here.world.channel_id


def test_when_deciding_fails_a_last_screen_says_whom_to_call(here: Simulated, menus: str) -> None:
    post(f"{menus}?key={SECRET}", form(""))
    here.world.run("UPDATE ussd_sessions SET state_enc = 'broken'")
    status, body = post(f"{menus}?key={SECRET}", form("1"))
    assert status == 200 and body.startswith("END ") and "115" in body and len(body) <= 164


def test_a_database_that_stands_still_gets_the_last_screen_within_seconds(here: Simulated, menus: str) -> None:
    client = here.world.client(NUMBER, language="en")
    with unit_of_work(here.world.engine) as work:
        work.execute(text("SELECT 1 FROM clients WHERE id = :id FOR UPDATE"), {"id": client})
        status, body = post(f"{menus}?key={SECRET}", form("STOP", "A9"))
    assert status == 200 and body.startswith("END ") and "115" in body


def test_the_handset_dials_and_walks_the_menu(here: Simulated) -> None:
    here.world.client(NUMBER, language="en")
    done = phone(here.url, "*123#\n7\n0\n4\nhello\n", "--wait", "0")
    assert done.returncode == 0, done.stderr
    assert "  | Choose:" in done.stdout and "  | Noted." in done.stdout
    assert here.world.value("SELECT count(*) FROM flags WHERE reason = 'callback'") == 1
    assert "Help now: call" in phone(here.url, "*123*7#\n/hang\n", "--wait", "0").stdout
    assert json.dumps(here.texts(NUMBER)).count("hello") == 1
