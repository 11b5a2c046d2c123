"""Every page in a real browser, in every language: for everybody (WCAG 2.2 AA), on a small screen, over a slow line, without outside help.

New pages are found by themselves; a new kind of place in an address needs a line in samples.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Response, ViewportSize
from werkzeug.routing import Rule

from gateway.web import roles
from tests import builders
from tests.web.office import Office
from tests.web.samples import SAMPLES

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}, "resultTypes": ["violations"]}
# In the dark the same page has other colours, and nothing else.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "resultTypes": ["violations"]}
STAGES = {"access.second": "second"}
FIRST, NEXT = 60_000, 15_000
WIDE: ViewportSize = {"width": 1024, "height": 768}
NARROW: ViewportSize = {"width": 320, "height": 640}


@dataclass(frozen=True, slots=True)
class Shown:
    """A page of ours, and who is to look at it."""

    endpoint: str
    path: str
    role: str | None


NOUNS = sorted({endpoint.partition(".")[0] for endpoint in roles.MAY if "." in endpoint})


def pages(office: Office, noun: str) -> Iterator[Shown]:
    """Every page of a noun that a GET shows, with something on it."""
    for reason in ("crisis", "callback", "info", "unknown_sender"):
        office.flag(office.world.client(), reason)
    for rule in office.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint.partition(".")[0] == noun:
            may = roles.MAY[rule.endpoint]
            role = None if may is roles.ANYBODY else next(each for each in ("supervisor", "administrator", "analyst") if each in may)
            yield Shown(rule.endpoint, _path(office, rule), role)


def _path(office: Office, rule: Rule) -> str:
    places = {place: SAMPLES[place](office, office.world.unit_id) for place in sorted(rule.arguments)}
    with office.app.test_request_context():
        built = rule.build(places)
    assert built is not None
    return built[1]


class Visitor:
    """A browser of somebody whose language changes. A complaint of the browser is a failure."""

    def __init__(self, chromium: Chromium, office: Office, address: str, shown: Shown) -> None:
        self.office, self.url, self.shown = office, address + shown.path, shown
        self.context = chromium.new_context(viewport=WIDE)
        self.staff_id: UUID | None = None
        if shown.role is not None:
            self.staff_id = office.member(shown.role)
            token = office.sign_in(self.staff_id, STAGES.get(shown.endpoint, "in")).token
            self.context.add_cookies([{"name": "visit", "value": token, "url": address}])
        self.page, self.complaints = self.context.new_page(), list[str]()
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, language: str) -> Page:
        """The page in a language."""
        self.context.set_extra_http_headers({"Accept-Language": language})
        if self.staff_id is not None:
            self.office.world.run("UPDATE staff SET language = :language WHERE id = :id", language=language, id=self.staff_id)
        answer = self.page.goto(self.url, wait_until="load")
        assert answer is not None and answer.status == 200, self.shown
        return self.page

    def close(self) -> None:
        self.context.close()
        assert self.complaints == [], self.shown


@pytest.mark.parametrize("noun", NOUNS)
def test_every_page_can_be_used_by_everybody_and_on_320_pixels(chromium: Chromium, office: Office, address: str, noun: str) -> None:
    for shown in pages(office, noun):
        visitor = Visitor(chromium, office, address, shown)
        for language in builders.CONTENT.languages:
            page = visitor.open(language)
            assert page.locator("html").get_attribute("lang") == language, shown
            _is_for_everybody(page, shown, language)
            page.set_viewport_size(NARROW)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], (shown, language)
            page.set_viewport_size(WIDE)
        page.emulate_media(color_scheme="dark")
        _is_for_everybody(page, shown, "dark", COLOURS)
        visitor.close()


def _is_for_everybody(page: Page, shown: Shown, how: str, rules: dict[str, Any] = RULES) -> None:
    found = Axe().run(page, options=rules).response["violations"]
    assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found] == [], (shown, how)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_page_is_light_and_asks_nobody_else_for_anything(chromium: Chromium, office: Office, address: str, noun: str) -> None:
    for shown in pages(office, noun):
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
