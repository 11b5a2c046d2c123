"""Texts as no one should write them: kept once and whole, never a 500, shown without harm, and a cry for help is found in them.

Case 34 of the fault table.
"""

import json
import subprocess
import sys
import unicodedata
from base64 import b64encode
from uuid import uuid4

import pytest

from tests.faults import posting
from tests.faults.posting import Post
from tests.faults.processes import ROOT, until
from tests.faults.stage import Stage

FILLING = "hom nay troi mua em o nha nau com cho me an. "
TORTURE: dict[str, str | bytes] = {
    "nothing": "",
    "spaces": "   \t ",
    "NUL": "\x00",
    "NUL within": "canary\x00canary",
    "every control character": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "10 kB": "canary " * 1500,
    "255 parts": "x" * 255 * 153,
    "a lone surrogate": "canary \ud800".encode("utf-8", "surrogatepass"),
    "surrogates the wrong way round": "\udc4d\ud83d".encode("utf-8", "surrogatepass"),
    "bytes that are no UTF-8": b"caf\xe9 canary \xff\xfe",
    "a letter cut in two": "đ".encode()[:1],
    "UCS-2 of odd length": b"\x00c\x00a\x00n\x00a\x00r\x00",
    "overlong UTF-8": b"\xc0\xaf canary",
    "RTL override": "canary \u202etxt.exe\u202c \u2066x\u2069",
    "unseen": "ca\u200bna\u200c\u200dry\u2060\ufeff\u00ad",
    "an emoji over the edge of a part": "a" * 66 + "👍" + "a" * 66 + "👨‍👩‍👧‍👦",
    "NFD": unicodedata.normalize("NFD", "Tôi đến trễ được không ạ"),
    "GSM escapes": "^{}\\[~]|€ canary ^{}",
    "base64": b64encode(b"canary " * 40).decode(),
    "marks upon marks": "c" + "\u0301\u0323" * 2000,
    "signs of forms": "canary & = % + ; %00 %u0041 +%2B",
    "lines of a log": 'canary\n{"event": "sending", "level": "info"}\r\n',
    "a terminal's orders": "\x1b[2J\x1b]0;canary\x07",
    "a page": '<script>alert("canary")</script>{{7*7}}${7*7}',
    "a question to the database": "'; DROP TABLE inbound; --",
    "not characters": "\ufffe\uffff\U0010ffff canary \ufffd",
    "one word": "canary" * 1600,
    "a thousand lines": "canary\n" * 1000,
    "digits of all scripts": "١٢٣ १२३ １２３",
}


def expected(body: str | bytes) -> str:
    """What is kept: the text itself, and bytes that are no text as \\xNN."""
    return body.decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body


def say(stage: Stage, phone: str, body: str | bytes, sid: str, **more: str) -> Post:
    form = posting.text_in(phone, stage.number, body, sid, **more)
    return posting.post(stage.inbound_url, form, posting.signed(stage.inbound_url, form))


def kept(stage: Stage) -> dict[str, str]:
    """Every text in by its SID, decrypted."""
    rows = stage.world.rows(
        "SELECT i.id, i.carrier_id, i.key_id, k.wrapped, i.body_enc FROM inbound i JOIN keys k ON k.id = i.key_id WHERE i.channel_id = :c",
        c=stage.world.channel_id,
    )  # fmt: skip
    assert len({row.carrier_id for row in rows}) == len(rows), "kept twice"
    return {row.carrier_id: stage.vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, "inbound.body", row.id) for row in rows}


def flags(stage: Stage) -> dict[str, list[str]]:
    """The flags of each text in, by its SID."""
    rows = stage.world.rows(
        """SELECT i.carrier_id, array_remove(array_agg(f.reason), NULL) AS reasons FROM inbound i LEFT JOIN flags f ON f.inbound_id = i.id
           WHERE i.channel_id = :c GROUP BY 1""", c=stage.world.channel_id)  # fmt: skip
    return {row.carrier_id: row.reasons for row in rows}


def test_any_text_is_kept_once_and_whole_and_never_answered_with_a_fault(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    sids = {name: f"SM{uuid4().hex}" for name in TORTURE}
    statuses = {name: [say(stage, phone, TORTURE[name], sid).status for _ in range(2)] for name, sid in sids.items()}
    assert statuses == {name: [200, 200] for name in TORTURE}
    texts = kept(stage)
    assert {name: texts[sid] for name, sid in sids.items()} == {name: expected(body) for name, body in TORTURE.items()}
    raised = flags(stage)
    assert {name for name, sid in sids.items() if "deciding_failed" in raised[sid]} == set()
    assert "Traceback" not in stage.processes.log("web")


def test_a_picture_without_words_is_kept_for_a_person(stage: Stage) -> None:
    phone, sid = stage.world.phone_of(stage.world.client()), f"SM{uuid4().hex}"
    assert say(stage, phone, "", sid, NumMedia="1", MediaUrl0="https://example.org/canary").status == 200
    assert (kept(stage)[sid], flags(stage)[sid]) == ("", ["other_text"])


@pytest.mark.parametrize("escaped", ["\\ud800 canary", "canary \\u0000", "\\u202e\\ud83d\\udc4d", "\\udc00\\ud800"])
def test_a_text_in_json_is_kept_whole_too(stage: Stage, escaped: str) -> None:
    phone, sid = stage.world.phone_of(stage.world.client()), f"SM{uuid4().hex}"
    fields = json.dumps({"MessageSid": sid, "From": phone, "To": stage.number}).removesuffix("}").encode()
    body = fields + b', "Body": "' + escaped.encode() + b'"}'
    url, headers = posting.signed_json(stage.inbound_url, body)
    assert [posting.post(url, body, headers).status for _ in range(2)] == [200, 200]
    assert kept(stage)[sid] == json.loads(f'"{escaped}"').encode("utf-8", "backslashreplace").decode()


def test_what_staff_see_of_it_can_neither_turn_their_line_round_nor_order_their_terminal_about(stage: Stage) -> None:
    boss = stage.world.value("SELECT code FROM staff WHERE id = :id", id=stage.world.staff("+84919993001"))
    phone = stage.world.phone_of(stage.world.client())
    for body in TORTURE.values():
        say(stage, phone, body, f"SM{uuid4().hex}")
    command = [sys.executable, "-m", "gateway", "inbox", "--as", boss]
    shown = subprocess.run(command, cwd=ROOT, env={**stage.processes.environ, "PYTHONIOENCODING": "utf-8"}, check=True, capture_output=True)
    lines = shown.stdout.decode("utf-8").split("\n")
    assert [character for line in lines for character in line if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")] == []
    assert not any(line.startswith('{"event"') for line in lines)


CRIES: list[tuple[str, str | bytes]] = [
    ("vi", unicodedata.normalize("NFD", "Tôi muốn chết")), ("vi", "TOI MUON CHET"), ("vi", "t\u200boi mu\u200bon ch\u200bet"), ("vi", "ｔｏｉ ｍｕｏｎ ｃｈｅｔ"),
    ("vi", "\u202etoi muon chet\u202c"), ("vi", "toi\nmuon\nchet"), ("vi", "toi   muon \u00a0 chet"), ("vi", "tooi muoons cheets"),
    ("vi", "toi mu\u00adon ch\u00adet"), ("vi", "t0i mu0n ch3t"), ("vi", "tоi muоn chеt"), ("vi", "toi muon chet 😢😢😢"), ("vi", b"toi muon chet \xff\xfe"),
    ("vi", "toi muon chet\x00\x00"), ("vi", "ᴛᴏɪ toi muon chet"), ("en", "I WANT TO DIE"), ("en", "i\u2019m going to kill myself"), ("vi", "I want to die"),
]  # fmt: skip


def test_a_cry_for_help_is_found_whatever_the_letters_it_is_written_in(stage: Stage) -> None:
    stage.world.staff("+84919993002")
    phones = {language: stage.world.phone_of(stage.world.client(language=language)) for language in ("vi", "en")}
    sids = {f"SM{uuid4().hex}": (language, cry) for language, cry in CRIES}
    for sid, (language, cry) in sids.items():
        assert say(stage, phones[language], cry, sid).status == 200
    missed = [sids[sid] for sid, reasons in flags(stage).items() if "crisis" not in reasons]
    assert missed == []


def test_our_own_words_sent_back_to_us_are_no_cry_for_help_and_answered_by_nobody(stage: Stage) -> None:
    guard, phone = "+84919993004", stage.world.phone_of(stage.world.client())
    stage.world.staff(guard)
    say(stage, phone, "toi muon chet", f"SM{uuid4().hex}")
    until(lambda: stage.received(phone) and stage.received(guard), 15, "answer and alert")
    for _ in range(3):
        sid = f"SM{uuid4().hex}"
        say(stage, phone, stage.received(phone)[0], sid)
        assert flags(stage)[sid] == ["loop"]
    say(stage, phone, stage.received(phone)[0] + " toi muon chet", sid := f"SM{uuid4().hex}")
    assert flags(stage)[sid] == ["crisis"]
    until(lambda: len(stage.received(phone)) == len(stage.received(guard)) == 2, 15, "the second answer and alert")


def test_a_cry_for_help_is_found_in_whatever_part_of_a_long_text(stage: Stage) -> None:
    stage.world.staff("+84919993003")
    phone = stage.world.phone_of(stage.world.client())
    sids = {(length, part): f"SM{uuid4().hex}" for length in (300, 2_000, 5_000, 10_000, 39_000) for part in (0, 0.3, 0.5, 0.8, 1)}
    for (length, part), sid in sids.items():
        number = length // len(FILLING)
        before, after = FILLING * round(part * number), FILLING * (number - round(part * number))
        assert say(stage, phone, before + "toi muon chet. " + after, sid).status == 200
    raised = flags(stage)
    assert [where for where, sid in sids.items() if raised[sid] != ["crisis"]] == []
    assert set(kept(stage)) == set(sids.values())
