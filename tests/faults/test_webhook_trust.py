"""Who may post to us: nobody without the carrier's signature, the carrier from behind any proxy, and nothing twice.

Cases 22 to 24 of the fault table.
"""

import base64
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from tests import builders
from tests.faults import posting
from tests.faults.posting import FORM, Headers, Post
from tests.faults.processes import ROOT, free_port, until
from tests.faults.stage import Stage
from tests.rawserver import certificate

PUBLIC = "https://sms.example.org:8443"
KEPT = ("inbound", "reports", "keys", "flags", "outbound", "stops", "consents", "answers")
_guards = count(1)


@pytest.fixture
def text(stage: Stage) -> Post:
    """A client's text as the carrier would post it, not posted yet."""
    phone = stage.world.phone_of(stage.world.client())
    body = posting.text_in(phone, stage.number, "STOP canary", f"SM{uuid4().hex}")
    return Post(stage.inbound_url, body, posting.signed(stage.inbound_url, body))


def send(post: Post, to: str | None = None) -> Post:
    return posting.post(post.url, post.body, post.headers, to)


def everything(stage: Stage) -> dict[str, int]:
    """How much is kept of all that a webhook could write."""
    return {table: stage.world.value(f"SELECT count(*) FROM {table}") for table in KEPT}


# --- forgeries ------------------------------------------------------------------------------------------------------


def with_signature(signature: str | bytes) -> Callable[[Post], Post]:
    return lambda post: replace(post, headers=[("Content-Type", FORM), ("X-Twilio-Signature", signature)])


def good(post: Post) -> str:
    return posting.sign(post.url, post.body)


def retyped(kind: str) -> Callable[[Post], Post]:
    """The good signature, under another content type."""
    return lambda post: replace(post, headers=[("Content-Type", kind), ("X-Twilio-Signature", good(post))])


def elsewhere(path: str) -> Callable[[Post], Post]:
    """The good signature, at another address of ours."""
    return lambda post: replace(post, url=post.url.replace("/inbound", path))


def as_json(post: Post) -> Post:
    """The same text as the carrier posts JSON, in order."""
    fields = {"MessageSid": "SMjson", "From": "+84912999999", "To": "+15005550006", "Body": "STOP canary"}
    body = json.dumps(fields).encode()
    url, headers = posting.signed_json(post.url, body)
    return Post(url, body, headers)


def json_altered(post: Post) -> Post:
    good_post = as_json(post)
    return replace(good_post, body=good_post.body.replace(b"STOP", b"STAY"))


def json_without_hash(post: Post) -> Post:
    """JSON whose signature covers the address alone: its body is nobody's word."""
    body = as_json(post).body
    return Post(post.url, body, [("Content-Type", "application/json"), ("X-Twilio-Signature", posting.sign(post.url, b""))])


def json_called_a_form(post: Post) -> Post:
    return replace(json_without_hash(post), headers=[("Content-Type", FORM), ("X-Twilio-Signature", posting.sign(post.url, b""))])


def form_under_a_json_address(post: Post) -> Post:
    """The signed address of a JSON post, with a form as its body."""
    return replace(as_json(post), body=post.body)


def multipart(post: Post) -> Post:
    body = b'--x\r\nContent-Disposition: form-data; name="Body"\r\n\r\nSTOP canary\r\n--x--\r\n'
    return Post(post.url, body, [("Content-Type", "multipart/form-data; boundary=x"), ("X-Twilio-Signature", good(post))])


def twice(first: Callable[[Post], str], second: Callable[[Post], str]) -> Callable[[Post], Post]:
    """Two signatures in one request."""
    return lambda post: replace(
        post, headers=[("Content-Type", FORM), ("X-Twilio-Signature", first(post)), ("X-Twilio-Signature", second(post))]
    )


FORGERIES: dict[str, Callable[[Post], Post]] = {
    "no signature": lambda post: replace(post, headers=[("Content-Type", FORM)]),
    "no headers at all": lambda post: replace(post, headers=[]),
    "an empty signature": with_signature(""),
    "a random signature": with_signature(base64.b64encode(b"\x07" * 20).decode()),
    "no base64": with_signature("let me in"),
    "bytes that are no text": with_signature(b"\xff\xfe\x80" * 9),
    "a signature of 8 kB": with_signature("A" * 8000),
    "another tenant's token": lambda post: replace(post, headers=posting.signed(post.url, post.body, "another token")),
    "no token": lambda post: replace(post, headers=posting.signed(post.url, post.body, "")),
    "a signature cut short": lambda post: with_signature(good(post)[:-1])(post),
    "a signature in capitals": lambda post: with_signature(good(post).upper())(post),
    "two signatures, the good one first": twice(good, lambda post: "x"),
    "two signatures, the good one last": twice(lambda post: "x", good),
    "another text": lambda post: replace(post, body=post.body.replace(b"STOP", b"STAY")),
    "another sender": lambda post: replace(post, body=post.body.replace(b"%2B849", b"%2B848")),
    "one field more": lambda post: replace(post, body=post.body + b"&OptOutType=STOP"),
    "one field less": lambda post: replace(post, body=post.body.replace(b"&NumMedia=0", b"")),
    "no body": lambda post: replace(post, body=b""),
    "a query more": lambda post: replace(post, url=post.url + "?x=1"),
    "a slash more": elsewhere("/inbound/"),
    "posted as a report": elsewhere("/report"),
    "a form called JSON": retyped("application/json"),
    "a form called text": retyped("text/plain"),
    "a form called nothing": retyped(""),
    "a form in parts": multipart,
    "JSON altered": json_altered,
    "JSON without its hash": json_without_hash,
    "JSON called a form": json_called_a_form,
    "a form under a JSON address": form_under_a_json_address,
    "a hash added to a form's address": lambda post: replace(post, url=f"{post.url}?bodySHA256={'0' * 64}"),
}


def test_a_forged_post_of_any_kind_is_refused_and_leaves_nothing_but_a_line_in_the_log(stage: Stage, text: Post) -> None:
    before, said = everything(stage), stage.processes.log("web")
    answers = {kind: send(forge(text)) for kind, forge in FORGERIES.items()}
    assert {kind: answer.status for kind, answer in answers.items()} == dict.fromkeys(FORGERIES, 403)
    assert {answer.answer for answer in answers.values()} == {"forbidden\n"}
    assert everything(stage) == before
    events = [json.loads(line)["event"] for line in stage.processes.log("web").removeprefix(said).splitlines()]
    assert events == ["bad_signature"] * len(FORGERIES)
    assert send(text).status == 200


def test_a_text_meant_for_another_channel_is_refused_there(stage: Stage, text: Post) -> None:
    other, before = stage.beside(), everything(stage)
    assert send(replace(text, url=other.inbound_url)).status == 403
    settings = {"secret": "s3cret", "sender": "+84900000000", "base_url": "http://127.0.0.1:9"}
    simulated = builders.channel(stage.engine, stage.vault, stage.world.now, stage.world.unit_id, name=f"sim {uuid4()}", settings=settings)
    url = stage.inbound_url.replace(str(stage.world.channel_id), str(simulated))
    assert send(Post(url, text.body, posting.signed(url, text.body))).status == 403
    assert everything(stage) == before | {"keys": before["keys"] + 1}  # the second channel's own


@pytest.mark.parametrize(("path", "status"), [
    ("/c/00000000-0000-0000-0000-000000000000/inbound", 404), ("/c/nobody/inbound", 404), ("/c/%00/inbound", 404), ("/inbound", 404)])  # fmt: skip
def test_a_post_to_no_channel_of_ours_is_not_found(stage: Stage, text: Post, path: str, status: int) -> None:
    url = stage.processes.url + path
    answer = send(Post(url, text.body, posting.signed(url, text.body)))
    assert (answer.status, "Traceback" in answer.answer) == (status, False)


def test_a_signed_post_that_is_no_text_or_too_long_is_a_fault_of_theirs(stage: Stage) -> None:
    url, before = stage.inbound_url, everything(stage)
    no_sender = posting.form({"MessageSid": "SM1", "Body": "canary"})
    assert send(Post(url, no_sender, posting.signed(url, no_sender))).status == 400
    too_long = posting.text_in("+84912000000", stage.number, "canary " * 50_000, "SM2")
    assert send(Post(url, too_long, posting.signed(url, too_long))).status == 413
    assert everything(stage) == before
    assert "Traceback" not in stage.processes.log("web")


def test_a_report_cannot_be_forged_either(stage: Stage) -> None:
    stage.plan(1)
    stage.until_done()
    (message,) = stage.accepted()
    body = posting.form({"MessageSid": message.sid, "MessageStatus": "undelivered", "ErrorCode": "21610"})
    for headers in ([("Content-Type", FORM)], posting.signed(message.callback, body, "another token"), posting.signed(stage.inbound_url, body)):
        assert send(Post(message.callback, body, headers)).status == 403
    assert stage.states() == {"accepted": 1}
    assert send(Post(message.callback, body, posting.signed(message.callback, body))).status == 200
    assert stage.states() == {"failed": 1}


# --- a carrier that signs nothing -----------------------------------------------------------------------------------

SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
NOT_IT = ("", "x", SECRET[:-1], SECRET + "x", SECRET.swapcase(), SECRET[::-1], "%00", "%FF%FE", "a" * 8000, f"x&key={SECRET}")


def unsigned(stage: Stage, secret: str) -> str:
    """The address of another channel of the unit, one of Kannel's."""
    settings = {"base_url": "http://127.0.0.1:9", "username": "g", "password": "p", "sender": stage.number, "secret": secret}
    channel = builders.channel(stage.engine, stage.vault, stage.world.now, stage.world.unit_id, "kannel", name=f"kannel {uuid4()}", settings=settings)
    return f"{stage.processes.url}/c/{channel}"


def fetched(url: str) -> int:
    """The status that a GET gets."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_carrier_that_signs_nothing_is_known_by_its_secret_alone(stage: Stage) -> None:
    ours, others = unsigned(stage, SECRET), unsigned(stage, "another-secret-of-24-letters"[:24])
    phone, before, said = stage.world.phone_of(stage.world.client()), everything(stage), stage.processes.log("web")
    headers: Headers = [("Content-Type", "text/plain; charset=UTF-8"), ("X-Kannel-From", phone), ("X-Kannel-To", stage.number)]
    wrong = [f"{ours}/inbound?id=1&key={key}" for key in NOT_IT] + [f"{ours}/inbound?id=1", f"{others}/inbound?id=1&key={SECRET}"]
    assert {posting.post(url, b"STOP canary", headers).status for url in wrong} == {403}
    assert posting.post(f"{ours}/inbound?id=1", b"STOP canary", [*headers, ("X-Gateway-Key", "x")]).status == 403
    assert {fetched(f"{ours}/report?t={uuid4()}&status=1&key={key}") for key in NOT_IT} == {403}
    assert everything(stage) == before
    good = [posting.post(f"{ours}/inbound?id=1&key={SECRET}", b"STOP canary", headers) for _ in range(3)]
    assert [(each.status, each.answer) for each in good] == [(200, "")] * 3
    assert everything(stage)["inbound"] == before["inbound"] + 1
    assert fetched(f"{ours}/report?t={uuid4()}&status=1&key={SECRET}") == 200
    told = stage.processes.log("web").removeprefix(said)
    assert not [word for word in (SECRET, phone[1:], "canary") if word in told]


# --- proxies --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Road:
    """The doors at which the same web process can be knocked at, and the address that the carrier has of it."""

    doors: dict[str, str]
    inbound: str


@pytest.fixture
def road(stage: Stage, tmp_path: Path) -> Iterator[Road]:
    """A web process that is https://sms.example.org:8443 to the world: a TLS proxy before a plain one before it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate(tmp_path))
    port = str(free_port())
    stage.processes.start("web-proxied", wait=False, GATEWAY_PORT=port, GATEWAY_PUBLIC_URL=PUBLIC)
    bare = f"http://127.0.0.1:{port}"
    until(lambda: _listens(bare), what="the start of the proxied web process")
    told = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "sms.example.org:8443", "X_Forwarded_Port": "8443"}
    with posting.proxy(bare, **told) as one, posting.proxy(one, tls, **told) as two, posting.proxy(bare, tls) as silent:
        doors = {"straight": bare, "one proxy": one, "TLS, then another": two, "TLS without a word of it": silent}
        yield Road(doors, f"{PUBLIC}/c/{stage.world.channel_id}/inbound")


def _listens(url: str) -> bool:
    try:
        return posting.post(url + "/health", b"", []).status > 0
    except OSError:
        return False


QUERIES = ("", "?x=1", "?x=a%2Bb", "?x=a+b&y=%20", "?x=%E1%BA%A3&empty=", "?x=1&x=2&%2F=%3D")


def test_a_valid_text_is_taken_from_behind_any_proxy_with_any_query(stage: Stage, road: Road) -> None:
    phone = stage.world.phone_of(stage.world.client())
    statuses, sids = {}, []
    for name, door in road.doors.items():
        for path in [road.inbound + query for query in QUERIES] + [f"{road.inbound}/", f"{road.inbound}/?x=a%2Bb"]:
            for signed_for in (path, path.replace(":8443", "")):  # Twilio leaves the port out for some, not for others
                sids.append(f"SM{uuid4().hex}")
                body = posting.text_in(phone, stage.number, f"canary {len(sids)} + more", sids[-1])
                statuses[name, path, signed_for] = posting.post(path, body, posting.signed(signed_for, body), to=door).status
    assert set(statuses.values()) == {200}, {where: status for where, status in statuses.items() if status != 200}
    assert stage.world.value("SELECT count(*) FROM inbound WHERE carrier_id = ANY(:sids)", sids=sids) == len(sids)


SPOOFED: list[Headers] = [
    [("X-Forwarded-Host", "evil.example")], [("X-Forwarded-Proto", "http")], [("X-Forwarded-Port", "80")], [("X-Forwarded-Prefix", "/evil")],
    [("Forwarded", "host=evil.example;proto=http")], [("Host", "evil.example")], [("X-Original-URL", "/evil")], [("X-Forwarded-For", "127.0.0.1")],
]  # fmt: skip


def test_what_headers_say_of_the_host_is_neither_needed_nor_believed(stage: Stage, road: Road) -> None:
    phone, door = stage.world.phone_of(stage.world.client()), road.doors["straight"]
    for n, headers in enumerate(SPOOFED):
        body = posting.text_in(phone, stage.number, f"canary {n}", f"SM{uuid4().hex}")
        for claimed in (road.inbound.replace("sms.example.org:8443", "evil.example"), road.inbound.replace("https", "http")):
            assert posting.post(road.inbound, body, [*posting.signed(claimed, body), *headers], to=door).status == 403
        assert posting.post(road.inbound, body, [*posting.signed(road.inbound, body), *headers], to=door).status == 200
    assert stage.world.value("SELECT count(*) FROM inbound WHERE channel_id = :c", c=stage.world.channel_id) == len(SPOOFED)


# --- replays --------------------------------------------------------------------------------------------------------


def effects(stage: Stage) -> dict[str, object]:
    """All that texts in have led to, the log of attempts included."""
    return everything(stage) | {
        "stops of the unit": [row.reason for row in stage.world.rows("SELECT reason FROM stops ORDER BY stopped_at")],
        "texts out": stage.world.value("SELECT count(*) FROM outbound WHERE channel_id = :c", c=stage.world.channel_id),
        "arrived": len(stage.accepted()), "history": stage.world.value("SELECT count(*) FROM consent_history"),
    }  # fmt: skip


def settled(stage: Stage) -> None:
    on_its_way = "SELECT count(*) FROM outbound WHERE channel_id = :c AND state IN ('planned', 'submitting')"
    until(lambda: not stage.world.value(on_its_way, c=stage.world.channel_id), what="the leaving of all texts")


AGED = ["inbound SET received_at = received_at", "outbound SET created_at = created_at", "outbound SET state_at = state_at",
        "attempts SET started_at = started_at"]  # fmt: skip


def test_a_text_replayed_after_a_minute_a_day_or_a_year_has_no_second_effect(stage: Stage) -> None:
    guard = f"+84919996{next(_guards):03d}"
    stage.world.staff(guard)
    phone = stage.world.phone_of(stage.world.client())
    captured = []
    for words in ("STOP", "START", "toi muon chet", "HELP"):
        body = posting.text_in(phone, stage.number, words, f"SM{uuid4().hex}")
        captured.append(Post(stage.inbound_url, body, posting.signed(stage.inbound_url, body)))
        assert send(captured[-1]).status == 200
        settled(stage)
    before = effects(stage)
    for age in ("1 minute", "1 day", "1 year"):
        for columns in AGED:
            stage.world.run(f"UPDATE {columns} - CAST(:age AS interval) WHERE channel_id = :c", age=age, c=stage.world.channel_id)
        assert [send(post).status for post in captured] == [200] * len(captured)
        assert effects(stage) == before


def test_a_text_replayed_after_its_client_was_erased_brings_nothing_back(stage: Stage) -> None:
    boss = stage.world.value("SELECT code FROM staff WHERE id = :id", id=stage.world.staff("+84919990900", role="administrator"))
    client = stage.world.client()
    code = stage.world.value("SELECT code FROM clients WHERE id = :c", c=client)
    body = posting.text_in(stage.world.phone_of(client), stage.number, "STOP", f"SM{uuid4().hex}", OptOutType="STOP")
    captured = Post(stage.inbound_url, body, posting.signed(stage.inbound_url, body))
    assert send(captured).status == 200
    erase = [sys.executable, "-m", "gateway", "client", "erase", code, "--yes", "--as", boss]
    subprocess.run(erase, cwd=ROOT, env=stage.processes.environ, check=True, stdout=subprocess.DEVNULL)
    before = effects(stage)
    assert send(captured).status == 200
    assert effects(stage) | {"keys": 0} == before | {"keys": 0}  # a key for a phone of nobody, with nothing under it


def test_a_replayed_report_of_an_opt_out_does_not_undo_a_later_start(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    stage.plan_for(client)
    stage.until_done()
    (message,) = stage.accepted()
    body = posting.form({"MessageSid": message.sid, "MessageStatus": "undelivered", "ErrorCode": "21610"})
    captured = Post(message.callback, body, posting.signed(message.callback, body))
    assert send(captured).status == 200
    assert stage.world.value("SELECT reason FROM stops WHERE phone_hash = :p", p=stage.vault.hash_phone(phone)) == "carrier"
    stage.say(phone, "START")
    settled(stage)
    before = effects(stage)
    assert send(captured).status == 200
    assert effects(stage) == before
