"""What attackers text and type, on the pages in a real browser: nothing of it runs, and the browser has nothing to block."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from gateway.channels import simulator
from tests.web.office import Office
from tests.web.test_flags import later

TEXTS = (
    '<img src=x onerror="window.hit=1">', "<script>window.hit=1</script>", "<svg/onload=window.hit=1>", "javascript:window.hit=1 {{7*7}} ${7*7}",
    "'\"></p><style>*{display:none}</style><iframe srcdoc='<script>top.hit=1</script>'>", "<a href=javascript:window.hit=1 autofocus onfocus=window.hit=1>x</a>",
)  # fmt: skip
KNOWN, STRANGER = "+84912345678", "+84987654321"
_RECORD = """window.broke = []; document.addEventListener('securitypolicyviolation', e => window.broke.push(e.violatedDirective + ' ' + e.blockedURI));"""


def _post(office: Office, what: str, said: dict[str, Any]) -> None:
    body, stamp = json.dumps(said).encode(), str(int(time.time()))
    headers = {"X-Timestamp": stamp, "X-Signature": simulator.sign("s3cret", stamp, body), "Content-Type": "application/json"}
    assert office.app.test_client().post(f"/c/{office.world.channel_id}/{what}", data=body, headers=headers).status_code < 300


def _attack(office: Office) -> None:
    """Everything by text and through the menu, from a client's phone and from one that nobody knows."""
    for phone in (KNOWN, STRANGER):
        for number, text in enumerate(TEXTS):
            _post(office, "inbound", {"id": f"{phone} {number}", "from": phone, "to": "+84900000000", "text": text, "sent_at": office.world.now.isoformat()})
            _post(office, "ussd", {"session": f"{phone} {number}", "from": phone, "code": "*123#", "text": f"menu {text.replace('*', ' ')}"})


def _addresses(office: Office, **places: Any) -> Iterator[str]:
    for rule in office.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.arguments <= places.keys() and rule.endpoint.partition(".")[0] in PAGES:
            with office.app.test_request_context():
                built = rule.build({place: places[place] for place in rule.arguments})
            assert built is not None
            yield built[1]


PAGES = {"today", "flags", "clients", "trail", "appointments", "units"}


@pytest.fixture
def page(chromium: Chromium, office: Office, address: str) -> Iterator[Page]:
    here = later(office, datetime.now(UTC) - office.world.now)  # texts come by the database's own clock
    context = chromium.new_context()
    context.add_cookies([{"name": "visit", "value": here.browser("administrator", unit_id=office.top_id).token, "url": address}])
    context.add_init_script(_RECORD)
    yield context.new_page()
    context.close()


def test_a_hostile_text_runs_nothing_in_a_real_browser(page: Page, office: Office, address: str) -> None:
    client = office.world.client(KNOWN, language="en")
    office.world.run("UPDATE units SET name = :evil WHERE id = :id", evil=TEXTS[0], id=office.world.unit_id)
    _attack(office)
    assert office.world.value("SELECT count(*) FROM inbound") == 4 * len(TEXTS)
    complaints, shown = list[str](), ""
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    flags = [row.number for row in office.world.rows("SELECT number FROM flags ORDER BY number")]
    assert len(flags) > len(TEXTS)
    for path in {path for flag in flags for path in _addresses(office, client=client, flag=flag, unit=office.world.unit_id)}:
        page.goto(address + path, wait_until="load")
        assert page.evaluate("[window.hit ?? null, window.broke]") == [None, []], path
        shown += page.locator("body").inner_text()
    assert complaints == []
    for text in TEXTS:
        assert shown.count(text) > 1, text  # as letters, from the client and from the stranger


def test_were_it_in_a_page_the_browser_would_still_not_run_it(page: Page, address: str) -> None:
    page.goto(address)
    for text in TEXTS[:3]:
        page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", text)
    page.evaluate("() => { const made = document.createElement('script'); made.text = 'window.hit=1'; document.body.append(made) }")
    page.wait_for_function("window.broke.length > 1")
    assert page.evaluate("window.hit ?? null") is None
