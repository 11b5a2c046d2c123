"""Twilio's API, byte by byte: what we send and what its answers and lists mean."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels import base, twilio
from gateway.channels.base import CallbackRequest, Outgoing, WireReply, WireRequest

SETTINGS = {
    "account_sid": "AC" + "a" * 32,
    "auth_token": "first-token",
    "sender": "+15550001111",
    "callback_url": "https://gateway.example/c/k3",
}
SID = "SM" + "0" * 31 + "1"


def sent(request: WireRequest) -> dict[str, str]:
    return {name: values[0] for name, values in base.read_form(request.body).items()}


def answer(status: int, body: object, **headers: str) -> base.SendResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return twilio.read_answer(WireReply(status, headers, raw))


# request


def test_a_text_is_posted_with_our_token_in_its_callback() -> None:
    outgoing = Outgoing(uuid4(), "tok/1+", "+84912345678", "Mai 9h: trả lời 1 & đến", 3600)
    request = twilio.send_request(SETTINGS, outgoing)
    assert request.method == "POST"
    assert (
        request.url == f"https://api.twilio.com/2010-04-01/Accounts/{SETTINGS['account_sid']}/Messages.json"
    )
    assert request.headers["Authorization"].startswith("Basic QUNhYWFh")
    assert sent(request) == {
        "To": "+84912345678",
        "From": "+15550001111",
        "Body": "Mai 9h: trả lời 1 & đến",
        "StatusCallback": "https://gateway.example/c/k3/report?t=tok%2F1%2B",
        "ValidityPeriod": "3600",
    }


def test_our_token_comes_back_as_it_went_out() -> None:
    url = sent(twilio.send_request(SETTINGS, Outgoing(uuid4(), "tok/1+ é", "+84912345678", "x")))[
        "StatusCallback"
    ]
    assert parse_qs(urlsplit(url).query)["t"] == ["tok/1+ é"]
    url = sent(twilio.send_request(SETTINGS, Outgoing(uuid4(), "tok/1+", "+84912345678", "x")))[
        "StatusCallback"
    ]
    report = b"MessageSid=SM1&MessageStatus=sent"
    request = CallbackRequest(url, "/c/k3/report", urlsplit(url).query, {}, report)
    assert twilio.read_report(request).token == "tok/1+"


@pytest.mark.parametrize(("validity_s", "period"), [(0, "1"), (-5, "1"), (59, "59"), (90_000, "36000")])
def test_validity_is_kept_within_what_twilio_takes(validity_s: int, period: str) -> None:
    request = twilio.send_request(SETTINGS, Outgoing(uuid4(), "t", "+84912345678", "x", validity_s))
    assert sent(request)["ValidityPeriod"] == period


def test_a_messaging_service_picks_the_sender() -> None:
    settings = SETTINGS | {"messaging_service_sid": "MG1"}
    fields = sent(twilio.send_request(settings, Outgoing(uuid4(), "t", "+84912345678", "x")))
    assert (fields["MessagingServiceSid"], fields.get("From")) == ("MG1", None)


def test_nothing_is_redacted_at_creation_but_a_body_can_be_blanked() -> None:
    assert not {"ContentRetention", "AddressRetention"} & set(
        sent(twilio.send_request(SETTINGS, Outgoing(uuid4(), "t", "+84912345678", "x")))
    )
    request = twilio.redact_request(SETTINGS, SID)
    assert request.url.endswith(f"/Messages/{SID}.json")
    assert request.body == b"Body="


def test_lists_are_asked_by_number_and_go_on_where_twilio_says() -> None:
    request = twilio.list_request(SETTINGS, "+84912345678")
    assert parse_qs(urlsplit(request.url).query) == {"To": ["+84912345678"], "PageSize": ["100"]}
    since_at = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    inbound = twilio.inbound_list_request(SETTINGS, "+15550001111", since_at)
    assert parse_qs(urlsplit(inbound.url).query)["DateSent>"] == ["2026-03-01"]
    following = twilio.list_request(SETTINGS, "+84912345678", "/2010-04-01/Accounts/AC/Messages.json?Page=1")
    assert following.url == "https://api.twilio.com/2010-04-01/Accounts/AC/Messages.json?Page=1"


def test_only_numbers_are_asked_for_in_a_back_fill() -> None:
    assert twilio.own_numbers(SETTINGS) == ("+15550001111",)
    assert twilio.own_numbers(SETTINGS | {"numbers": "+1555, 34567"}) == ("+1555", "34567")
    assert twilio.own_numbers(SETTINGS | {"sender": "CLINIC"}) == ()


def test_settings_that_will_not_do_are_named() -> None:
    assert twilio.check(SETTINGS) == []
    faults = twilio.check(
        {"account_sid": "AC1", "auth_token": "x\n", "bas_url": "", "base_url": "example.org"}
    )
    assert [fault.split()[0] for fault in faults] == ["auth_token", "bas_url", "base_url", "account_sid", "sender"]
    assert "x\n" not in "".join(faults)


@pytest.mark.parametrize(("name", "value", "fine"), [
    ("account_sid", "SK" + "a" * 32, False), ("account_sid", "AC" + "A" * 32, False), ("messaging_service_sid", "MG" + "0" * 32, True),
    ("messaging_service_sid", "MG1", False), ("sender", "GREENLEAF", True), ("sender", "La Xanh 24", True), ("sender", "60777", True),
    ("sender", "Lá Xanh", False), ("sender", "GREENLEAF SERVICE", False), ("sender", "07700 900001", False), ("sender", "+44 7700", False),
])  # fmt: skip
def test_what_is_pasted_from_the_wrong_place_is_named(name: str, value: str, fine: bool) -> None:
    faults = twilio.check(SETTINGS | {name: value})
    assert [fault.split()[0] for fault in faults] == ([] if fine else [name])


def test_the_schedule_the_links_and_the_words_stay_ours() -> None:
    settings = SETTINGS | {"messaging_service_sid": "MG" + "0" * 32}
    asked = set(sent(twilio.send_request(settings, Outgoing(uuid4(), "t", "+84912345678", "See example.org", 600))))
    assert asked == {"To", "Body", "StatusCallback", "MessagingServiceSid", "ValidityPeriod"}, "STOP would not cancel what Twilio schedules"


def test_one_text_may_name_its_own_sender_beside_the_service() -> None:
    settings = SETTINGS | {"messaging_service_sid": "MG" + "0" * 32, "sender": ""}
    fields = sent(twilio.send_request(settings, Outgoing(uuid4(), "t", "+84912345678", "x", sender="GREENLEAF")))
    assert (fields["MessagingServiceSid"], fields["From"]) == ("MG" + "0" * 32, "GREENLEAF")


# read_answer

CREATED = {"sid": SID, "status": "queued", "error_code": None}


@pytest.mark.parametrize("status", [200, 201])
def test_an_answer_with_a_sid_is_accepted(status: int) -> None:
    assert answer(status, CREATED) == base.SendResult("accepted", SID)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b'{"sid": "SM1"',
        b"\xff",
        b"null",
        b"[" * 100_000,
        [CREATED],
        {},
        {"sid": None},
        {"sid": ""},
        {"sid": {"x": 1}},
        {"sid": "SM\x00"},
        {"sid": True},
    ],
)
def test_a_good_status_without_a_sid_is_unknown(body: object) -> None:
    assert answer(201, body).outcome == "unknown"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (20429, "throttled"),
        (14107, "throttled"),
        (21611, "throttled"),
        (30001, "throttled"),
        (63038, "throttled"),
        (20500, "unknown"),
        (21211, "permanent"),
        (21214, "permanent"),
        (21612, "permanent"),
        (21614, "permanent"),
        (21617, "permanent"),
        (21408, "channel_down"),
        (21606, "channel_down"),
        (21659, "channel_down"),
        (30002, "channel_down"),
        (30029, "channel_down"),
        (21610, "opted_out"),
        (30004, "filtered"),
        (30007, "filtered"),
        (21212, "channel_down"),
        (21266, "permanent"),
        (21601, "channel_down"),
        (21608, "channel_down"),
        (21635, "permanent"),
        (21657, "channel_down"),
        (21701, "channel_down"),
        (21704, "channel_down"),
        (30022, "throttled"),
        (30023, "throttled"),
        (30024, "channel_down"),
        (30032, "channel_down"),
        (30034, "channel_down"),
        (30042, "channel_down"),
        (63017, "throttled"),
        (12345, "permanent"),
    ],
)
def test_each_documented_code_has_its_outcome(code: int, outcome: str) -> None:
    found = answer(400, {"code": code, "message": "…", "status": 400})
    assert (found.outcome, found.code, found.carrier_id) == (outcome, str(code), None)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>", {"code": 20500}, {"code": 21211}, CREATED])
def test_a_server_error_is_unknown_whatever_it_says(status: int, body: object) -> None:
    assert answer(status, body).outcome == "unknown"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 408])
def test_a_page_that_is_not_twilios_is_unknown(status: int) -> None:
    assert answer(status, b"<html>blocked</html>").outcome == "unknown"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("", None), ("-1", None), ("soon", None), ("9" * 9, 86_400), ("9" * 40, None)],
)
def test_too_many_requests_is_throttled_for_as_long_as_it_says(header: str, seconds: int | None) -> None:
    found = answer(429, b"", **{"retry-after": header})
    assert (found.outcome, found.retry_after_s) == ("throttled", seconds)


def test_the_daily_limit_is_told_from_the_rate() -> None:
    assert answer(429, {"code": 63038}).reason == "daily_limit"
    assert answer(429, {"code": 20429}).reason == "rate_limited"
    assert answer(429, {"code": 21610}).outcome == "throttled"


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (403, 20005), (404, 20404), (401, 99999)])
def test_an_account_that_is_refused_is_down(status: int, code: int) -> None:
    assert answer(status, {"code": code, "status": status}).outcome == "channel_down"


def test_a_message_that_failed_at_once_keeps_its_sid_and_its_reason() -> None:
    found = answer(201, {"sid": SID, "status": "failed", "error_code": 21610})
    assert (found.outcome, found.carrier_id, found.code) == ("opted_out", SID, "21610")


@given(st.integers(100, 599), st.binary(max_size=200))
def test_reading_an_answer_never_raises_and_never_invents_an_acceptance(status: int, body: bytes) -> None:
    assert answer(status, body).outcome != "accepted"


def test_how_far_a_request_came_decides_before_what_it_says() -> None:
    assert base.read(twilio, "not_sent", None).outcome == "not_sent_retry"
    assert base.read(twilio, "sent", None).outcome == "unknown"
    assert (
        base.read(twilio, "answered", WireReply(201, {}, json.dumps(CREATED).encode())).outcome == "accepted"
    )


# lists

LISTED = {
    "sid": SID,
    "to": "+84912345678",
    "from": "+15550001111",
    "body": "Hẹn 9h",
    "date_created": "Sun, 01 Mar 2026 10:00:01 +0000",
    "date_sent": None,
    "status": "undelivered",
    "error_code": 30003,
    "direction": "outbound-api",
}


def listed(body: object, status: int = 200) -> base.Page:
    return twilio.read_list(WireReply(status, {}, json.dumps(body).encode()))


def test_a_list_is_read_with_instants_and_states() -> None:
    page = listed({"messages": [LISTED], "next_page_uri": "/2010-04-01/Accounts/AC/Messages.json?Page=1"})
    created_at = datetime(2026, 3, 1, 10, 0, 1, tzinfo=UTC)
    found = base.Found(
        SID, "+84912345678", "+15550001111", "Hẹn 9h", created_at, "failed", "30003", "outbound"
    )
    assert page == base.Page((found,), "/2010-04-01/Accounts/AC/Messages.json?Page=1")


def test_an_inbound_one_and_odd_values_are_read() -> None:
    odd = {
        "sid": SID,
        "direction": "inbound",
        "date_created": "yesterday",
        "status": "received",
        "body": None,
    }
    found = listed({"messages": [odd], "next_page_uri": ""}).found[0]
    assert (found.direction, found.created_at, found.state, found.body) == ("inbound", None, None, "")


@pytest.mark.parametrize("body", [None, [], {}, {"messages": None}, {"messages": [1]}, "<html>"])
def test_what_is_no_list_says_nothing(body: object) -> None:
    with pytest.raises(base.BadList):
        listed(body)


def test_an_error_is_no_empty_list() -> None:
    with pytest.raises(base.BadList):
        listed({"messages": []}, status=500)


@pytest.mark.parametrize("uri", ["@evil.example/", "//evil.example/", "https://evil.example/", 5])
def test_a_next_page_elsewhere_is_not_followed_with_our_credentials(uri: object) -> None:
    with pytest.raises(base.BadList):
        listed({"messages": [], "next_page_uri": uri})
