"""Every route, as every role. New routes are found by themselves; a new kind of place in an address needs a line in samples.py."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from werkzeug.routing import Rule

from gateway.store.staff import ROLES
from gateway.web import guard, roles
from tests.builders import CONTENT
from tests.web.office import Browser, Office
from tests.web.samples import SAMPLES, one_of_each


def _routes(office: Office) -> Iterator[tuple[Rule, str]]:
    """Routes that ask for a login, each with a method."""
    for rule in office.app.url_map.iter_rules():
        may = roles.MAY.get(rule.endpoint, roles.ANYBODY)
        if may is not roles.ANYBODY and rule.endpoint != "access.logout":
            yield from ((rule, method) for method in sorted((rule.methods or set()) & {"GET", "POST"}))


def _address(office: Office, rule: Rule, things: Mapping[str, Any]) -> str:
    with office.app.test_request_context():
        built = rule.build({place: things[place] for place in rule.arguments})
    assert built is not None
    return built[1]


def _ask(browser: Browser, method: str, path: str) -> int:
    return (browser.get(path) if method == "GET" else browser.post(path)).status_code


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_own_routes_and_no_others(office: Office, role: str) -> None:
    """As a staff member of the commune. 400: the deed is theirs, and this empty form was not enough."""
    browser, unit_id = office.browser(role), office.world.unit_id
    kept = one_of_each(office, unit_id)
    for rule, method in _routes(office):
        may = role in roles.MAY[rule.endpoint]
        things = {place: SAMPLES[place](office, unit_id) for place in sorted(rule.arguments)} if may and method == "POST" else kept
        status = _ask(browser, method, _address(office, rule, things))
        refused = (303,) if rule.rule == "/" else (403,)
        assert status in ((200, 303, 400) if may else refused), (role, method, rule.rule, status)


@pytest.mark.parametrize("role", ROLES)
def test_what_belongs_to_another_unit_is_not_there(office: Office, role: str) -> None:
    browser, things = office.browser(role), one_of_each(office, office.other_id)
    for rule, method in _routes(office):
        if rule.arguments:
            status = _ask(browser, method, _address(office, rule, things))
            assert status == (404 if role in roles.MAY[rule.endpoint] else 403), (role, method, rule.rule, status)


def test_without_a_login_every_route_leads_to_the_login_page(office: Office) -> None:
    http, things = office.app.test_client(), one_of_each(office, office.world.unit_id)
    for rule, method in _routes(office):
        answer = http.open(_address(office, rule, things), method=method)
        assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/login"), (method, rule.rule)


def test_every_post_needs_a_form_of_this_very_browser(office: Office) -> None:
    browser, stranger = office.browser("administrator"), office.browser("administrator")
    things = one_of_each(office, office.world.unit_id)
    for rule in office.app.url_map.iter_rules():
        if "POST" in (rule.methods or ()) and rule.endpoint in roles.MAY:
            path = _address(office, rule, things)
            for token in ("", "x" * 80, guard.Visit(stranger.token, None).form_token):
                assert browser.http.post(path, data={"form_token": token}).status_code == 400, path
            good = guard.Visit(browser.token, None).form_token
            assert browser.http.post(path, data={"form_token": good}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 400, path


def test_a_route_that_nobody_speaks_of_stops_the_program(office: Office) -> None:
    office.app._got_first_request = False
    office.app.add_url_rule("/forgotten", "today.forgotten", lambda: "")
    with pytest.raises(LookupError, match="forgotten"):
        guard.install(office.app, office.app.extensions["gateway"])


def test_whoever_has_no_today_gets_to_their_own_first_page(office: Office) -> None:
    analyst = office.browser("analyst")
    assert analyst.get("/").location != "/"
    assert analyst.get(analyst.get("/").location).status_code == 200


def test_no_page_shows_a_code_of_ours(office: Office) -> None:
    """A state or reason is kept as a word of code, and told in words."""
    codes = {code for code in CONTENT.translations["en"] if re.fullmatch(r"[a-z]+(_[a-z]+)+", code)}
    office.world.client(language="hmn", consent=("check_in", "service_information"))
    browser, found = office.browser("administrator", unit_id=office.top_id), set()
    things = one_of_each(office, office.world.unit_id)
    for rule, method in _routes(office):
        if method == "GET" and rule.endpoint not in ("admin.words", "trail.show"):  # where codes are what is spoken of
            page = browser.get(_address(office, rule, things)).get_data(as_text=True)
            words = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
            found |= {(rule.endpoint, code) for code in codes & set(re.findall(r"\w+", words))}
    assert found == set()
