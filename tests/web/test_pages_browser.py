"""Every page in a real browser, in every language: for everybody (WCAG 2.2 AA), on a small screen, over a slow line, without outside help.

New pages are found by themselves; a new kind of place in an address needs a line in samples.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Response
from werkzeug.routing import Rule

from gateway.web import roles
from tests import builders
from tests.web.office import Office
from tests.web.samples import SAMPLES

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}
STAGES = {"access.second": "second"}
FIRST, NEXT = 60_000, 15_000


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of ours, and who is to look at it."""

    endpoint: str
    path: str
    role: str | None


def pages(office: Office) -> Iterator[Shown]:
    """Every page that a GET shows, with something on it."""
    for reason in ("crisis", "callback", "info", "unknown_sender"):
        office.flag(office.world.client(), reason)
    for rule in office.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint in roles.MAY.keys() - {"asset", "health"}:
            may = roles.MAY[rule.endpoint]
            role = None if may is roles.ANYBODY else next(each for each in ("supervisor", "administrator", "analyst") if each in may)
            yield Shown(rule.endpoint, _path(office, rule), role)


def _path(office: Office, rule: Rule) -> str:
    places = {place: SAMPLES[place](office, office.world.unit_id) for place in sorted(rule.arguments)}
    with office.app.test_request_context():
        built = rule.build(places)
    assert built is not None
    return built[1]


def look(chromium: Chromium, office: Office, address: str, shown: Shown, language: str, scheme: str = "light") -> Iterator[Page]:
    """The page, open; a complaint of the browser is a failure."""
    dark = "dark" if scheme == "dark" else "light"
    context = chromium.new_context(locale=language, color_scheme=dark, viewport={"width": 1024, "height": 768})
    if shown.role is not None:
        member = office.member(shown.role, language=language)
        token = office.sign_in(member, STAGES.get(shown.endpoint, "in")).token
        context.add_cookies([{"name": "visit", "value": token, "url": address}])
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    answer = page.goto(address + shown.path, wait_until="load")
    assert answer is not None and answer.status == 200, shown
    yield page
    context.close()
    assert complaints == [], shown


@pytest.mark.parametrize(("language", "scheme"), [*((code, "light") for code in builders.CONTENT.languages), ("en", "dark")])
def test_every_page_can_be_used_by_everybody_and_on_320_pixels(chromium: Chromium, office: Office, address: str, language: str, scheme: str) -> None:
    for shown in pages(office):
        for page in look(chromium, office, address, shown, language, scheme):
            found = Axe().run(page, options=RULES).response["violations"]
            assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found] == [], shown
            assert page.locator("html").get_attribute("lang") == language, shown
            page.set_viewport_size({"width": 320, "height": 640})
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, shown


def test_a_page_is_light_and_asks_nobody_else_for_anything(chromium: Chromium, office: Office, address: str) -> None:
    for shown in pages(office):
        context = chromium.new_context()
        if shown.role is not None:
            member = office.member(shown.role)
            context.add_cookies([{"name": "visit", "value": office.sign_in(member, STAGES.get(shown.endpoint, "in")).token, "url": address}])
        page, answers = context.new_page(), list[Response]()
        page.on("response", lambda answer, kept=answers: kept.append(answer))
        for most in (FIRST, NEXT):
            answers.clear()
            page.goto(address + shown.path, wait_until="networkidle")
            assert {each.url.startswith(address) for each in answers} == {True}, shown
            sizes = [each.request.sizes() for each in answers if not each.from_service_worker]
            assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) < most, shown
        context.close()
