"""What people with bad intent, or a broken keyboard, put into texts, forms and addresses: shown as letters, refused with a message, never a fault."""

import json
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway import log
from gateway.channels import simulator
from gateway.domain.services import Service
from gateway.store import services
from gateway.store.base import SYSTEM, unit_of_work
from tests.web.office import Browser, Office
from tests.web.samples import one_of_each
from tests.web.test_flags import wrote
from tests.web.test_roles import _routes

TEMPLATES = Path(__file__).parents[2] / "gateway" / "web" / "templates"
NAMES = sorted({name for path in TEMPLATES.rglob("*.html") for name in re.findall(r'name="([a-z_]+)"', path.read_text("utf-8"))} - {"form_token"})
ASKED = ("kind", "page", "since", "before", "week", "worker", "unit", "under", "show", "severity", "reason", "label", "client", "day", "next", "code",
         "category", "report", "period", "by", "due")  # fmt: skip

EVIL = "<img src=x onerror=alert(1)>{{7*7}}\u202egnp\u200b"
"""HTML, a template, and marks that reorder and hide."""

VALUES = {
    "no text": "\0", "HTML": EVIL, "half a character": b"\xed\xa0\x80\xff", "10 kB": "x" * 10_000, "a huge number": "9" * 30, "figures of elsewhere": "٣²",
}  # fmt: skip


def _ask(browser: Browser, method: str, path: str, value: str | bytes) -> Any:
    if method == "GET":
        return browser.http.get(path, query_string=dict.fromkeys(ASKED, value))
    return browser.post(path, **dict.fromkeys(NAMES, value))


@pytest.mark.parametrize("name", VALUES)
def test_no_form_and_no_address_brings_a_page_down(office: Office, name: str) -> None:
    browser = office.browser("administrator")
    fell, places = [], one_of_each(office, office.world.unit_id)
    for rule, method in _routes(office):
        if rule.endpoint in ("settings.end", "access.second", "access.prove"):
            continue
        with office.app.test_request_context():
            built = rule.build({place: places[place] for place in rule.arguments})
        assert built is not None
        answer = _ask(browser, method, built[1], VALUES[name])
        if answer.status_code >= 500 or (answer.mimetype == "text/html" and "<img src=x" in answer.get_data(as_text=True)):
            fell.append((method, rule.rule, answer.status_code))
    assert not fell


def _pages(office: Office, browser: Browser, **places: Any) -> Iterator[tuple[str, str]]:
    """Every page that a browser can read about these things."""
    for rule, method in _routes(office):
        if method == "GET" and rule.arguments <= places.keys():
            with office.app.test_request_context():
                built = rule.build({place: places[place] for place in rule.arguments})
            assert built is not None
            answer = browser.get(built[1])
            if answer.status_code == 200 and answer.mimetype == "text/html":
                yield built[1], answer.get_data(as_text=True)


def test_what_others_wrote_is_letters_on_every_page(office: Office) -> None:
    admin = office.browser("administrator")
    home = admin.press("/clients/new", code="E1", name=f"Hoa {EVIL}", phones="0912345678", language="vi", discreet="1", groups=EVIL, fields=f"Ghi chú={EVIL}")
    assert "E1" in home
    client = office.world.value("SELECT id FROM clients WHERE code = 'E1'")
    wrote(office, client, EVIL)
    flag = office.flag(client)
    admin.press(f"/flags/{flag}/note", note=EVIL, note_id=str(uuid4()))
    admin.press(f"/flags/{flag}/label", label="=1+1", revision=0)
    made = Service(uuid4(), "=S", "food", EVIL, EVIL, [office.world.unit_id], who=EVIL, checked_on=date(2025, 1, 1))
    with unit_of_work(office.world.engine, SYSTEM, office.world.now) as work:
        services.add(work, made, None)
    office.world.run("UPDATE units SET name = :evil WHERE id = :id", evil=EVIL, id=office.world.unit_id)
    seen = 0
    for path, html in _pages(office, admin, client=client, flag=flag, service=made.id, unit=office.world.unit_id, member=admin.staff_id):
        assert "<img src=x" not in html and "49" not in re.findall(r"alert\(1\)&gt;(\S{0,8})", html), path
        assert "\u202e" not in html, path
        seen += "onerror" in html
    assert seen > 5
    table = admin.post("/services/export").get_data(as_text=True)
    assert "'=S" in table


def test_an_address_with_line_breaks_writes_no_line_of_its_own_into_the_log(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    browser = office.browser()
    capsys.readouterr()
    for path in ("/flags/%0a%7B%22event%22:%22forged%22%7D", "/clients/?x=%0d%0aforged", "/imports/?kind=%0aforged"):
        browser.get(path, **{"User-Agent": "forged\tagent"})
    out = capsys.readouterr()
    assert "forged" not in out.out + out.err


def test_a_form_with_letters_for_its_token_is_refused(office: Office) -> None:
    browser = office.browser()
    assert browser.http.post("/settings/language", data={"form_token": "ж" * 80, "language": "vi"}).status_code == 400


def test_what_carriers_send_writes_no_line_of_its_own_into_the_log(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    http, channel = office.app.test_client(), office.world.channel_id
    line = '\n{"level": "info", "event": "forged"}\r\n'
    for what in ("inbound", "report", "ussd", "call"):
        for body in (line.encode(), json.dumps({"id": line, "from": line, "text": line, "state": line, "token": line}).encode()):
            for signed in (True, False):
                stamp = str(int(time.time()))
                signature = simulator.sign("s3cret", stamp, body) if signed else line.strip().replace("\r\n", "")
                http.post(f"/c/{channel}/{what}", data=body, headers={"X-Timestamp": stamp, "X-Signature": signature, "User-Agent": "forged\tagent"})
    log.error("canary", ValueError(line), text=line)
    lines = [json.loads(said) for said in capsys.readouterr().err.splitlines()]
    assert {"bad_signature", "bad_callback", "canary"} <= {said["event"] for said in lines}
    assert "forged" not in {said["event"] for said in lines}
