"""Raw posts as Africa's Talking sends them, and what it gets back."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels import africastalking
from gateway.channels.base import BadCallback, CallbackRequest, Dialled, Outgoing, WireReply
from tests.channels import conformance

SECRET = "q7TqYw2nB5mZx0LkVd9sRfAa"
SETTINGS = {"secret": SECRET, "callback_url": "https://gateway.example.org/c/1"}
GOOD = b"sessionId=ATUid_9f3c&serviceCode=%2A123%23&phoneNumber=%2B84912345678&networkCode=99999&text=1%2A2"


def posted(body: bytes = GOOD, query: str = f"key={SECRET}", **headers: str) -> CallbackRequest:
    path = "/c/1/ussd"
    return CallbackRequest(f"https://gateway.example.org{path}?{query}", path, query, headers, body)


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=lambda settings, what, body, _: conformance.post(settings, what, body, f"key={settings.get('secret', '')}"),
    ussd=lambda session, phone, text: urlencode({"sessionId": session, "serviceCode": "*1#", "phoneNumber": phone, "text": text}).encode(),
    signs_body=False,
)


def test_a_step_is_read_with_its_stars() -> None:
    assert africastalking.read_ussd(posted()) == Dialled("ATUid_9f3c", "+84912345678", "1*2")
    first = GOOD.replace(b"text=1%2A2", b"text=")
    assert africastalking.read_ussd(posted(first)).text == ""
    assert africastalking.read_ussd(posted(GOOD.replace(b"1%2A2", "đau*+".encode()))).text == "đau* "


@pytest.mark.parametrize("body", [
    b"", b"{}", GOOD.replace(b"sessionId", b"session"), GOOD.replace(b"%2B84912345678", b"anonymous"), GOOD.replace(b"%2B84912345678", b""),
    GOOD.replace(b"&text=1%2A2", b""), GOOD.replace(b"1%2A2", b"1" * 2_001), GOOD.replace(b"ATUid_9f3c", b"x" * 300), b"\xff\xfe&=&&",
])  # fmt: skip
def test_a_wrong_post_is_refused(body: bytes) -> None:
    with pytest.raises(BadCallback):
        africastalking.read_ussd(posted(body))


def test_the_secret_comes_in_the_address_or_a_header() -> None:
    assert africastalking.verify(SETTINGS, posted())
    assert africastalking.verify(SETTINGS, posted(query="", **{"x-gateway-key": SECRET}))
    for query in ("", "key=", f"key={SECRET}x", f"Key={SECRET}", "key=%FF", "key=đ"):
        assert not africastalking.verify(SETTINGS, posted(query=query))


@given(st.text(), st.text())
def test_verifying_never_raises(query: str, header: str) -> None:
    assert africastalking.verify(SETTINGS, posted(query=query, **{"x-gateway-key": header})) is (header == SECRET)


def test_screens_begin_with_what_goes_on() -> None:
    going, ending = africastalking.ussd_reply("Chọn:\n1 A", True), africastalking.ussd_reply("Bye", False)
    assert (going.status, going.body.decode(), ending.body) == (200, "CON Chọn:\n1 A", b"END Bye")
    assert going.headers["Content-Type"].startswith("text/plain")


def test_it_carries_no_texts() -> None:
    assert not africastalking.capabilities.texts
    with pytest.raises(BadCallback):
        africastalking.read_inbound(posted())
    with pytest.raises(BadCallback):
        africastalking.send_request(SETTINGS, Outgoing(id=None, token="t", to="+84912345678", body="x"))  # type: ignore[arg-type]
    assert africastalking.read_answer(WireReply(200, {}, b"")).outcome == "channel_down"


def test_a_short_secret_is_refused() -> None:
    assert africastalking.check({"secret": "short"}) and africastalking.check({})
    assert africastalking.check({"secret": SECRET}) == []
