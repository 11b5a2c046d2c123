"""SMPP: what one PDU says, how ids and long texts are written, and what an answer means."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import smpp as pdus

from gateway.channels import base, smpp
from gateway.channels.base import CallbackRequest, Outgoing, Part, WireReply
from gateway.domain import gsm7, segments
from gateway.wire import pdu
from tests.channels import conformance

SETTINGS = {
    "host": "smsc.example.net", "system_id": "gateway", "password": "s3cret", "sender": "+84900000001",
    "secret": "signed-by-our-own-process", "callback_url": "http://127.0.0.1:8000/c/smpp",
}  # fmt: skip
GIVEN: dict[str, Any] = {
    "id": "in-1", "from": "84912345678", "from_ton": 1, "to": "84900000001", "to_ton": 1, "esm_class": 0, "data_coding": 8, "octets": "",
    "receipted_message_id": None, "message_state": None, "sar": None, "report_ids": "same",
}  # fmt: skip
RECEIPT = "id:{} sub:001 dlvrd:001 submit date:2602101000 done date:2602101001 stat:{} err:{} text:Chao ban"


def given_in(**changed: Any) -> bytes:
    """What the keeper of the bind posts."""
    return json.dumps(GIVEN | changed).encode()


def receipt(carrier_id: str = conformance.CARRIER_ID, stat: str = "DELIVRD", err: str = "000", **changed: Any) -> bytes:
    return given_in(**{"esm_class": 4, "data_coding": 0, "octets": RECEIPT.format(carrier_id, stat, err).encode().hex()} | changed)


def posted(settings: base.Settings, what: str, body: bytes, query: str = "") -> CallbackRequest:
    stamp = "1760000000"
    return conformance.post(settings, what, body, query, x_timestamp=stamp, x_signature=base.sign(settings.get("secret", ""), stamp, body))


def answered(*parts: tuple[int, str], report_ids: str = "same") -> WireReply:
    return WireReply(200, {"report_ids": report_ids}, json.dumps({"parts": parts}).encode())


def _shown(request: base.WireRequest) -> tuple[str, str]:
    """As a phone puts the parts together."""
    sent = json.loads(request.body)
    parts = [bytes.fromhex(part) for part in sent["parts"]]
    if sent["esm_class"] == 0x40:
        parts = [part[part[0] + 1 :] for part in parts]
    texts = [gsm7.decode(part) if sent["data_coding"] == 0 else part.decode("utf-16-be") for part in parts]
    return f"+{sent['to']}", "".join(texts)


CARRIER = conformance.Carrier(
    settings=SETTINGS,
    posted=posted,
    text=lambda carrier_id, phone, text: (given_in(id=carrier_id, **{"from": phone[1:]}, octets=text.encode("utf-16-be").hex()), ""),
    report=lambda token, word: (receipt(stat=word), ""),
    states={"ENROUTE": "sent", "ACCEPTD": "accepted", "DELIVRD": "delivered", "EXPIRED": "expired", "DELETED": "cancelled",
            "UNDELIV": "failed", "REJECTD": "failed"},
    reads=_shown,
    accepted=answered((0, conformance.CARRIER_ID)),
    refusals=[(answered((status, "")), reason) for status, reason in smpp._REASONS.items()] + [(answered((0x999, "")), "unrecognised")],
    never={"opted_out": "SMPP has no word for it", "filtered": "SMPP has no word for it"},
)  # fmt: skip


def asked(body: str, **changed: str) -> dict[str, Any]:
    """The texts' PDUs, as the channel's file describes them."""
    request = smpp.send_request(SETTINGS | changed, Outgoing(UUID(int=0xABCD), conformance.TOKEN, "+84912345678", body))
    found: dict[str, Any] = json.loads(request.body)
    return found


@given(st.text(st.sampled_from(sorted(segments.GSM)), max_size=400))
def test_septets_say_what_they_were_made_of(words: str) -> None:
    assert gsm7.decode(gsm7.encode(words)) == words


@given(st.text(st.sampled_from([*"abcé€[^ữự😀\n"]), max_size=500), st.sampled_from(["8", "16"]))
def test_a_text_of_any_length_is_the_same_at_the_other_end_and_no_part_is_too_long(words: str, bits: str) -> None:
    sent = asked(words, reference_bits=bits)
    limit = 140 if sent["data_coding"] == 8 else 160
    assert all(len(bytes.fromhex(part)) <= limit for part in sent["parts"])
    # GSM-7: septets and a header in whole septets must fit into 140 octets together.
    if sent["data_coding"] == 0 and len(sent["parts"]) > 1:
        assert all((len(bytes.fromhex(part)[header:]) * 7 + header * 8 + 6) // 8 <= 140 for header in (6 if bits == "8" else 7,) for part in sent["parts"])
    request = base.WireRequest("", "", {}, json.dumps(sent).encode())
    assert _shown(request)[1] == segments.unicodedata.normalize("NFC", words)


@given(st.text(max_size=500))
def test_the_usual_header_makes_as_many_parts_as_were_counted(words: str) -> None:
    words = words.encode("utf-8", "replace").decode()
    counted = segments.count(words)
    assert len(segments.split(words, counted.encoding)) == counted.segments


@pytest.mark.parametrize(("bits", "header"), [("8", "050003cd0202"), ("16", "060804abcd0202")])
def test_parts_bear_a_header_with_one_reference(bits: str, header: str) -> None:
    sent = asked("a" * 200, reference_bits=bits)
    assert sent["esm_class"] == 0x40
    assert sent["parts"][1].startswith(header)


def test_where_the_default_alphabet_is_another_everything_is_ucs2() -> None:
    assert asked("plain", alphabet="ucs2")["data_coding"] == 8


@pytest.mark.parametrize(("sender", "address", "ton"), [("+84900000001", "84900000001", 1), ("8099", "8099", 0), ("TRAM Y TE", "TRAM Y TE", 5)])
def test_senders_of_every_sort_have_their_type_of_number(sender: str, address: str, ton: int) -> None:
    sent = asked("Hello", sender=sender)
    assert (sent["from"], sent["from_ton"]) == (address, ton)


@pytest.mark.parametrize(("seconds", "said"), [(None, ""), (59, "000000000059000R"), (90_061, "000001010101000R"), (10**9, "000007000000000R")])
def test_validity_is_a_relative_time(seconds: int | None, said: str) -> None:
    request = smpp.send_request(SETTINGS, Outgoing(uuid4(), "t", "+84912345678", "Hello", seconds))
    assert json.loads(request.body)["validity"] == said


def test_a_text_of_which_only_some_parts_were_taken_is_unknown() -> None:
    for parts in ([(0, "1"), (0x58, "")], [(0x58, ""), (0, "2")], [(0, "1"), (0x45, ""), (0, "3")]):
        found = smpp.read_answer(answered(*parts))
        assert (found.outcome, found.carrier_id) == ("unknown", None)


def test_a_text_of_which_all_parts_were_refused_may_be_tried_again() -> None:
    assert smpp.read_answer(answered((0x58, ""), (0x58, ""))).outcome == "throttled"


def test_an_acceptance_without_an_id_is_unknown() -> None:
    assert smpp.read_answer(answered((0, ""))).outcome == "unknown"


@pytest.mark.parametrize(
    ("report_ids", "answer", "report"),
    [("same", "00AbC", "00AbC"), ("hex-decimal", "0000001F", "31"), ("hex-decimal", "1f", "0031"), ("decimal-hex", "31", "1F"),
     ("hex-decimal", "no number!", "no number!")],
)  # fmt: skip
def test_an_id_written_in_two_ways_is_one_id(report_ids: str, answer: str, report: str) -> None:
    accepted = smpp.read_answer(answered((0, answer), report_ids=report_ids))
    body = receipt("another", receipted_message_id=report, report_ids=report_ids)
    told = smpp.read_report(posted(SETTINGS, "report", body))
    assert accepted.carrier_id == told.carrier_id


@pytest.mark.parametrize("said", [
    "id:9f3c stat:DELIVRD", "ID: 9f3c SUB:001 DLVRD:001 STAT: DELIVRD ERR:000", "id:9f3c sub:1 dlvrd:1 submitdate:1 donedate:2 stat:delivrd err:0 text:",
])  # fmt: skip
def test_receipts_are_read_as_carriers_write_them(said: str) -> None:
    found = smpp.read_report(posted(SETTINGS, "report", given_in(esm_class=4, data_coding=0, octets=said.encode().hex())))
    assert (found.carrier_id, found.state, found.code) == ("9f3c", "delivered", "DELIVRD")


def test_a_failure_keeps_the_carriers_code() -> None:
    found = smpp.read_report(posted(SETTINGS, "report", receipt(stat="UNDELIV", err="075")))
    assert (found.state, found.reason, found.code) == ("failed", "unreachable", "UNDELIV 075")


def test_parameters_stand_in_for_the_words_of_a_receipt() -> None:
    body = given_in(esm_class=4, octets="", receipted_message_id="7", message_state=2)
    found = smpp.read_report(posted(SETTINGS, "report", body))
    assert (found.carrier_id, found.state) == ("7", "delivered")


@pytest.mark.parametrize(("address", "ton", "phone"), [
    ("84912345678", 1, "+84912345678"), ("+84912345678", 0, "+84912345678"), ("84912345678", 0, "+84912345678"), ("0084912345678", 0, "+84912345678"),
    ("0912345678", 2, "0912345678"), ("0912345678", 0, "0912345678"), ("8099", 3, "8099"), ("VIETTEL", 5, "VIETTEL"),
])  # fmt: skip
def test_addresses_become_phones_where_they_are_one(address: str, ton: int, phone: str) -> None:
    assert smpp.read_inbound(posted(SETTINGS, "inbound", given_in(**{"from": address}, from_ton=ton))).sender_phone == phone


@pytest.mark.parametrize(("data_coding", "octets", "text"), [
    (0, "411b65", "A€"), (0, "00", "@"), (8, "1eeb", "ừ"), (0x18, "1eeb", "ừ"), (3, "e9", "é"), (1, "41", "A"), (0xF1, "41", "A"),
    (0, "c3a9", "é"), (4, "ff41", "\\xffA"), (8, "0041", "A"), (8, "004100", "A\\x00"),
])  # fmt: skip
def test_octets_are_read_in_their_coding(data_coding: int, octets: str, text: str) -> None:
    assert smpp.read_inbound(posted(SETTINGS, "inbound", given_in(data_coding=data_coding, octets=octets))).text == text


@pytest.mark.parametrize(("changed", "part"), [
    ({"esm_class": 0x40, "octets": "050003cd0302" + "0041"}, Part("udh-cd", 2, 3)),
    ({"esm_class": 0x40, "octets": "060804abcd0301" + "0041"}, Part("udh-abcd", 1, 3)),
    ({"esm_class": 0x40, "octets": "0b0504158a00000003cd0303" + "0041"}, Part("udh-cd", 3, 3)),
    ({"octets": "0041", "sar": [7, 1, 2]}, Part("sar-7", 1, 2)),
    ({"esm_class": 0x40, "octets": "050003cd0101" + "0041"}, None),
    ({"esm_class": 0x40, "octets": "050003cd0204" + "0041"}, None),
])  # fmt: skip
def test_a_part_of_a_long_text_says_which_it_is(changed: dict[str, Any], part: Part | None) -> None:
    found = smpp.read_inbound(posted(SETTINGS, "inbound", given_in(**changed)))
    assert (found.text, found.part) == ("A", part)


@given(octets=st.binary(max_size=60), esm_class=st.integers(0, 255), data_coding=st.integers(0, 255))
def test_whatever_octets_come_they_are_read(octets: bytes, esm_class: int, data_coding: int) -> None:
    found = smpp.read_inbound(posted(SETTINGS, "inbound", given_in(octets=octets.hex(), esm_class=esm_class, data_coding=data_coding)))
    found.text.encode()  # nothing that cannot be kept


def test_what_cannot_be_read_is_refused() -> None:
    for body in (given_in(octets="0g"), given_in(octets="041"), given_in(id=""), given_in(esm_class="4"), b"{}"):
        with pytest.raises(base.BadCallback):
            smpp.read_inbound(posted(SETTINGS, "inbound", body))
    with pytest.raises(base.BadCallback):
        smpp.read_report(posted(SETTINGS, "report", given_in(octets=b"stat:DELIVRD".hex())))


@pytest.mark.parametrize(("name", "value"), [
    ("port", "70000"), ("window", "0"), ("tls", "maybe"), ("alphabet", "latin1"), ("report_ids", "hex"), ("system_id", "x" * 16), ("password", "x" * 9),
    ("host", "smsc.example.org:2775"), ("host", "[::1]"), ("host", "smsc..example.org"), ("host", "x" * 64), ("sender", "a name that is too long"),
])  # fmt: skip
def test_settings_that_cannot_work_are_named(name: str, value: str) -> None:
    assert smpp.check(SETTINGS | {name: value})


def test_the_line_is_encrypted_unless_it_is_said_not_to_be() -> None:
    assert smpp.hold_request(SETTINGS).url == "smpps://smsc.example.net:2775"
    assert smpp.hold_request(SETTINGS | {"tls": "no", "host": "::1", "port": "1"}).url == "smpp://[::1]:1"


def test_a_callback_altered_on_its_way_is_not_ours() -> None:
    good = posted(SETTINGS, "inbound", given_in())
    assert smpp.verify(SETTINGS, good)
    assert not smpp.verify(SETTINGS, replace(good, body=good.body + b" "))


@given(
    st.text(st.sampled_from([*"ab€ữ"]), min_size=1, max_size=400), st.sampled_from(["+84900000001", "8099", "TRAM"]),
    st.one_of(st.none(), st.integers(1, 10**6)),
)  # fmt: skip
def test_a_submit_is_octet_for_octet_what_smpplib_writes(words: str, sender: str, validity: int | None) -> None:
    request = smpp.send_request(SETTINGS | {"sender": sender}, Outgoing(uuid4(), "t", "+84912345678", words, validity))
    message = json.loads(request.body)
    for index, part in enumerate(message["parts"]):
        numbers, theirs = pdu.Numbers(), pdu.Numbers()
        made = pdus.make_pdu(
            "submit_sm", client=theirs, service_type="", source_addr=message["from"], source_addr_ton=message["from_ton"],
            source_addr_npi=0 if sender == "TRAM" else 1, destination_addr=message["to"], dest_addr_ton=1, dest_addr_npi=1,
            esm_class=message["esm_class"], data_coding=message["data_coding"], validity_period=message["validity"],
            registered_delivery=int(index == len(message["parts"]) - 1), short_message=bytes.fromhex(part),
        )  # fmt: skip
        assert pdu.submit(numbers, message, index) == (1, made.generate())
