"""Takes the pictures: each page that a GET shows, in each language, at two widths, as somebody whose role may open it."""

import io
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.routing import Rule
from werkzeug.serving import make_server

from gateway.store import credentials, logins, staff
from gateway.store.base import unit_of_work
from gateway.web import roles
from tests.pictures.district import YEAR
from tests.pictures.morning import Scene

WIDTHS = {320: 1000, 1000: 720}
"""Width of the window -> how much of a long page is shown."""
LANGUAGES = {"en": "en-GB", "vi": "vi-VN", "fr": "fr-FR"}
"""Language of the pages -> how days and figures are written there. (In fields only if the browser has that language: Debian's `chromium-l10n`.)"""
# Those of staff.css, with the greys between them: 16 take four bits each, and what is urgent stays red.
COLOURS = """ffffff f6f7f8 e4e8ea cfd6da a9b1b6 7d888e 55626a 1c2327 1d5b6b 14546a 8fb0ba a3122a d98f9a fdecee 1f5d33 e7f4ea"""
NOT_PAGES = frozenset({"asset", "health", "metrics", "flags.urgent"})
WITH_CRISIS = frozenset({"today-show", "flags-listed"})
CRISIS = "flags-crisis"
VIEWS = {"reports.show": f"?by=month&since={YEAR[0]}&until={YEAR[1]}", "texts.look": "?of=check_in"}
"""What a page is asked for."""
STAGES = {"access.second": "second", "access.second_factor": "set_up"}
ASKED = """() => !document.querySelector('#urgent[hx-trigger="load"]')"""
"""The page has heard what cannot wait."""
FLAGS = ["--no-sandbox", "--hide-scrollbars", "--font-render-hinting=none", "--disable-lcd-text"]
WHO = ("supervisor", "administrator")


@dataclass(frozen=True, slots=True)
class Shown:
    """A page, where it is served, and who looks at it."""

    name: str
    address: str
    path: str
    role: str | None
    stage: str = "in"


def pictured(app: Flask) -> list[Rule]:
    """The pages that have pictures."""
    rules = (rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and rule.endpoint in roles.MAY)
    return sorted((rule for rule in rules if rule.endpoint not in NOT_PAGES), key=lambda rule: rule.endpoint)


def name_of(endpoint: str) -> str:
    """What a page's pictures are called."""
    return endpoint.replace(".", "-").replace("_", "-")


class Camera:
    """A browser with a window for each language, and the gateway that it looks at."""

    def __init__(self, app: Flask, looking: dict[str, UUID], browser: Browser, folder: Path) -> None:
        self._engine, self._staff, self._folder = app.extensions["gateway"].engine, looking, folder
        self._windows = {
            language: browser.new_context(locale=locale, reduced_motion="reduce", color_scheme="light").new_page()
            for language, locale in LANGUAGES.items()
        }
        with unit_of_work(self._engine) as work:
            for staff_id in looking.values():
                credentials.set_password(work, staff_id, "none fits")
                logins.add(work, _token(staff_id, "in"), staff_id, "in", "Chrome · Android")

    def take(self, shown: Shown) -> None:
        """In all languages, at both widths. Raises AssertionError for what is no page."""
        for language, page in self._windows.items():
            page.context.clear_cookies()
            if shown.role is not None:
                token = self._sign_in(self._staff[shown.role], shown.stage, language)
                page.context.add_cookies([{"name": "visit", "value": token, "url": shown.address}])
            answer = page.goto(shown.address + shown.path)
            assert answer is not None and answer.status == 200, (shown, answer and answer.status)
            page.wait_for_function(ASKED)
            for width, most in WIDTHS.items():
                self._keep(_seen(page, width, most), self._folder / language / f"{shown.name}-{width}.png")

    def _sign_in(self, staff_id: UUID, stage: str, language: str) -> str:
        with unit_of_work(self._engine) as work:
            staff.set_language(work, staff_id, language)
            if stage != "in":
                logins.add(work, _token(staff_id, stage + language), staff_id, stage, "Chrome · Android")
        return _token(staff_id, "in" if stage == "in" else stage + language)

    def _keep(self, picture: Image.Image, path: Path) -> None:
        """In few colours."""
        kept, few = io.BytesIO(), Image.new("P", (1, 1))
        few.putpalette(bytes.fromhex(COLOURS))
        picture.convert("RGB").quantize(palette=few, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True, bits=4)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept.getvalue())


def _token(staff_id: UUID, of: str) -> str:
    return f"{of}{staff_id.hex}{'':-<43}"[:43]


def _seen(page: Page, width: int, most: int) -> Image.Image:
    page.set_viewport_size({"width": width, "height": most})
    tall = min(page.evaluate("Math.ceil(document.body.getBoundingClientRect().bottom)"), most)
    taken = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": tall}, animations="disabled", caret="hide")
    return Image.open(io.BytesIO(taken))


def shown(app: Flask, address: str, rule: Rule, places: dict[str, object]) -> Shown:
    """The page of a route, as its pictures show it."""
    may = roles.MAY[rule.endpoint]
    role = None if may is roles.ANYBODY else next(each for each in WHO if each in may)
    with app.test_request_context():
        built = rule.build({place: places[place] for place in rule.arguments})
    assert built is not None
    return Shown(name_of(rule.endpoint), address, built[1] + VIEWS.get(rule.endpoint, ""), role, STAGES.get(rule.endpoint, "in"))


def take_all(app: Flask, practice: Flask, scene: Scene, folder: Path, only: Sequence[str] = ()) -> None:
    """Every page, or those of these names; of `practice` what is there alone. The cry for help comes when the other pages are taken,
    and stands on the last."""
    with _browser() as browser, _served(app) as address, _served(practice) as beside:
        pages = [shown(app, address, rule, scene.places) for rule in pictured(app)]
        pages += [shown(practice, beside, rule, scene.places) for rule in pictured(practice) if rule.endpoint not in app.view_functions]
        late = [each for each in pages if each.name in WITH_CRISIS]
        camera = Camera(app, scene.staff, browser, folder)
        for each in pages:
            if each not in late and (not only or each.name in only):
                camera.take(each)
        crisis = scene.cry()
        for each in (*late, Shown(CRISIS, address, f"/flags/{crisis}", "supervisor")):
            if not only or each.name in only:
                camera.take(each)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def _served(app: Flask) -> Iterator[str]:
    """Where a browser finds the gateway."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
