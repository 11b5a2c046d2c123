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
from playwright.sync_api import Response, ViewportSize
from werkzeug.routing import Rule

from gateway.web import roles
from tests import builders
from tests.web.office import Office
from tests.web.samples import SAMPLES

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}, "resultTypes": ["violations"]}
# In the dark the same page has other colours, and nothing else.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}, "resultTypes": ["violations"]}
AXE = """async rules => (await axe.run(rules)).violations.map(found => [found.id, found.nodes.map(node => node.html.slice(0, 120))])"""
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
    """A browser of whoever may see a page, with one tab for all pages: what it has compiled serves them all."""

    def __init__(self, chromium: Chromium, office: Office, address: str) -> None:
        self.office, self.address = office, address
        self.context = chromium.new_context(viewport=WIDE)
        self.context.add_init_script(Axe().axe_script)
        self.page = self.context.new_page()
        self.cache = self.context.new_cdp_session(self.page)
        self.complaints, self.answers = list[str](), list[Response]()
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda answer: self.answers.append(answer))  # noqa: PLW0108  Playwright marks what it is given

    def is_new(self, shown: Shown) -> UUID | None:
        """Nothing of ours is kept here yet but the login of somebody who may see the page: their id."""
        self.cache.send("Network.clearBrowserCache")
        self.context.clear_cookies()
        self.page.emulate_media(color_scheme="light")
        if shown.role is None:
            return None
        member = self.office.member(shown.role)
        token = self.office.sign_in(member, STAGES.get(shown.endpoint, "in")).token
        self.context.add_cookies([{"name": "visit", "value": token, "url": self.address}])
        return member

    def open(self, shown: Shown, staff_id: UUID | None, language: str) -> None:
        """The page in a language."""
        self.context.set_extra_http_headers({"Accept-Language": language})
        if staff_id is not None:
            self.office.world.run("UPDATE staff SET language = :language WHERE id = :id", language=language, id=staff_id)
        self.answers.clear()
        answer = self.page.goto(self.address + shown.path, wait_until="load")
        assert answer is not None and answer.status == 200, shown
        assert self.page.locator("html").get_attribute("lang") == language, shown

    def wrongs(self, rules: dict[str, Any] = RULES) -> list[Any]:
        """What axe finds: rule and places."""
        return list(self.page.evaluate(AXE, rules))

    def width(self) -> int:
        """Of the whole page on a screen of 320 pixels."""
        self.page.set_viewport_size(NARROW)
        width = int(self.page.evaluate("document.documentElement.scrollWidth"))
        self.page.set_viewport_size(WIDE)
        return width

    def weight(self) -> int:
        """Bytes that came since the page was opened, all from us."""
        self.page.wait_for_load_state("networkidle")
        assert {each.url.startswith(self.address) for each in self.answers} == {True}
        sizes = [each.request.sizes() for each in self.answers if not each.from_service_worker]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_page_can_be_used_by_everybody_and_on_320_pixels_and_is_light(chromium: Chromium, office: Office, address: str, noun: str) -> None:
    visitor = Visitor(chromium, office, address)
    for shown in pages(office, noun):
        staff_id, most = visitor.is_new(shown), FIRST
        for language in builders.CONTENT.languages:
            visitor.open(shown, staff_id, language)
            assert visitor.wrongs() == [], (shown, language)
            assert visitor.width() <= NARROW["width"], (shown, language)
            assert visitor.weight() < most, (shown, language)
            most = NEXT
        visitor.page.emulate_media(color_scheme="dark")
        assert visitor.wrongs(COLOURS) == [], (shown, "dark")
        assert visitor.complaints == [], shown
    visitor.context.close()
    assert visitor.complaints == [], noun
