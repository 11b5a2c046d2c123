"""`make bench-pages`: every page of staff, as each role that matters, on 100,000 clients and 5,000,000 texts; fails above 150 ms at p95.

The pages are those of the program's own table of routes, so a new one is measured by itself. Server time is what a browser on the same
machine waits for, one request after the other; on a machine that does other work too the figures are that work's as well.
"""

import argparse
import http.client
import math
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from sqlalchemy import text
from werkzeug.routing import Rule

from bench import ground, province
from bench.ground import Ground
from bench.inbound import free_port, wait_listening
from gateway import app, embedded
from gateway.config import Settings
from gateway.store import credentials, logins, staff, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.web import roles
from gateway.web.guard import Visit

LIMIT_MS, SLOW_STATEMENT_MS, LONG_MS = 150, 30, 1000
EACH, EACH_LONG = 20, 4  # requests of each page; of one that takes a second and more
WHO = {"worker": ("case_worker", False), "reviewer": ("reviewer", False), "lead": ("supervisor", True), "boss": ("administrator", True),
       "analyst": ("analyst", True)}  # fmt: skip
"""Name -> role, and whether of the whole province or of one commune."""

# What may stand in an address: some ids of things that whoever looks may see, under the name of the place.
_IN = "unit_id IN (SELECT unit_id FROM staff_units WHERE staff_id = :who)"
PLACES = {
    "flag": f"SELECT number FROM flags WHERE {_IN} AND state <> 'closed' ORDER BY due_at LIMIT 12",
    "client": f"SELECT id FROM clients c WHERE {_IN} AND id IN (SELECT client_id FROM flags WHERE state <> 'closed') ORDER BY id LIMIT 12",
    "campaign": f"SELECT id FROM campaigns WHERE {_IN} ORDER BY created_at",
    "draft": f"SELECT id FROM campaign_drafts WHERE {_IN} ORDER BY id",
    "appointment": f"SELECT id FROM appointments WHERE {_IN} AND status = 'booked' AND starts_at > now() ORDER BY starts_at LIMIT 12",
    "service": f"SELECT id FROM services WHERE {_IN} ORDER BY code LIMIT 12",
    "register": f"SELECT id FROM imports WHERE {_IN} ORDER BY made_at DESC LIMIT 12",
    "member": f"SELECT id FROM staff WHERE {_IN} ORDER BY code LIMIT 12",
    "unit": "SELECT id FROM units WHERE id IN (SELECT unit_id FROM staff_units WHERE staff_id = :who) ORDER BY code LIMIT 12",
    "channel": "SELECT id FROM channels",
}
SINGLE = ("campaign", "draft")
"""Places where each thing is a page of its own: one campaign has eight people, the next a hundred thousand."""
CAMPAIGNS = ("Nhắc hẹn", "Hỏi thăm", "Nháp xã", "Nháp huyện", "Nháp tỉnh", "Nháp nhóm", "Nháp tuần xã", "Nháp tuần huyện", "Nháp tuần tỉnh")

ASKED: dict[str, Sequence[str]] = {
    "texts.look": ("?purpose=check_in&language=vi",),
    "clients.listed": ("", "?group=sugar", "?unit=SV-00-000", "?consent=reminder", "?verify=1", "?language=fr&status=active"),
    "flags.listed": ("", "?show=closed", "?show=closed&page=50", "?severity=urgent", "?unit=SV-00-000", "?show=mine"),
    "reports.show": ("", *(f"?report={name}&by=unit&since=2026-01-01&until=2026-12-31" for name in ("attendance", "delivery", "replies")), "?by=language"),
}
"""What may follow on an address."""

POSTS: dict[str, tuple[str, Mapping[str, str]]] = {
    "search: phone": ("clients.search", {"wanted": ground.number(1720)}),
    "search: last four digits": ("clients.search", {"wanted": "1720"}),
    "search: rare word of a name": ("clients.search", {"wanted": "Bench344"}),
    "search: common word of a name": ("clients.search", {"wanted": "Nguyễn"}),
    "search: code": ("clients.search", {"wanted": "KH-001720"}),
    "trail: of a client": ("trail.search", {"client": "KH-001720"}),
    "trail: of a unit": ("trail.search", {"unit": "SV-03"}),
    "trail: of one who did": ("trail.search", {"staff": "worker"}),
    "trail: of an action": ("trail.search", {"action": "client.export"}),
    "maker: count a commune": ("maker.set_who", {"do": "look", "units": "SV-00-000"}),
    "maker: count a district": ("maker.set_who", {"do": "look", "units": "SV-03"}),
    "maker: count all": ("maker.set_who", {"do": "look", "units": "SV"}),
}
"""Forms that show something and change nothing."""


@dataclass(slots=True)
class Case:
    """A page as one role sees it: its addresses in turn, and what each request took."""

    page: str
    who: str
    paths: Sequence[str]
    form: Mapping[str, str] | None = None
    took_ms: list[float] = field(default_factory=list)
    size: int = 0

    def p(self, share: float) -> float:
        return sorted(self.took_ms)[math.ceil(share * len(self.took_ms)) - 1]


class Browser:
    """Signed in as somebody."""

    def __init__(self, here: Ground, port: int, staff_id: UUID) -> None:
        self._token, self._http = secrets.token_urlsafe(32), http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        with unit_of_work(here.engine) as work:
            credentials.set_password(work, staff_id, "none fits")
            logins.add(work, self._token, staff_id, "in", "a measurement")

    def ask(self, path: str, form: Mapping[str, str] | None) -> tuple[float, int, bool]:
        """Milliseconds and bytes of the answer, and whether it is the page: it may be a refusal (a campaign that is over has no calendar)."""
        headers = {"Cookie": f"visit={self._token}", "Accept-Encoding": "gzip"}
        body = None
        if form is not None:
            body = urlencode({"form_token": Visit(self._token, None).form_token, **form})
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.perf_counter()
        self._http.request("GET" if form is None else "POST", path, body, headers)
        answer = self._http.getresponse()
        size = len(answer.read())
        took = (time.perf_counter() - began) * 1000
        self._http.close()  # the server ends idle connections
        if answer.status not in (200, 400):
            raise SystemExit(f"{path}: {answer.status} {answer.getheader('Location', '')}")
        return took, size, answer.status == 200


def members(here: Ground) -> dict[str, UUID]:
    """Staff to look as, by name."""
    with unit_of_work(here.engine, SYSTEM) as work:
        top, commune = (units.by_code(work, code).id for code in ("SV", "SV-00-000"))
        known = staff.codes(work)
        return {name: known.get(f"bench-{name}") or staff.add(work, here.vault, unit_id=top if everywhere else commune, code=f"bench-{name}", name="Bench", role=role, language="vi")
                for name, (role, everywhere) in WHO.items()}  # fmt: skip


def cases(here: Ground, rules: Sequence[Rule], who: Mapping[str, UUID]) -> Iterator[Case]:
    """Every page that can be looked at, as every role that may."""
    with unit_of_work(here.engine, SYSTEM) as work:
        names = {row.id: row.name for row in work.all(text("SELECT id, name FROM campaigns UNION ALL SELECT id, content ->> 'name' FROM campaign_drafts"))}
        for name, staff_id in who.items():
            found = {place: [row[0] for row in work.all(text(sql), who=staff_id)] if ":who" in sql else [row[0] for row in work.all(text(sql))] for place, sql in PLACES.items()}
            found["campaign"] = [each for each in found["campaign"] if names[each] in CAMPAIGNS or names[each].startswith("Đợt 4")][:12]
            for rule in rules:
                if WHO[name][0] in roles.MAY[rule.endpoint] and not rule.endpoint.startswith("access.") and rule.endpoint != "flags.urgent":
                    yield from _of(rule, name, found, names)


def _of(rule: Rule, who: str, found: Mapping[str, Sequence[Any]], names: Mapping[UUID, str]) -> Iterator[Case]:
    if unknown := rule.arguments - found.keys():
        raise SystemExit(f"bench/pages.py does not know what stands in {rule.rule}: {unknown}")
    place = next(iter(rule.arguments), None)
    if "POST" in (rule.methods or ()):
        for label, (endpoint, form) in POSTS.items():
            if endpoint == rule.endpoint and (place is None or found[place]):
                yield Case(label, who, [_path(rule, place, found[place][0])] if place else [rule.rule], form)
        return
    for asked in ASKED.get(rule.endpoint, ("",)):
        if place is None:
            yield Case(rule.endpoint + asked, who, [rule.rule + asked])
        elif place in SINGLE:
            yield from (Case(f"{rule.endpoint} {names[each]}", who, [_path(rule, place, each) + asked]) for each in found[place])
        elif found[place]:
            yield Case(rule.endpoint + asked, who, [_path(rule, place, each) + asked for each in found[place]])


def _path(rule: Rule, place: str, thing: object) -> str:
    return re.sub(rf"<[^>]*{place}>", str(thing), rule.rule)


def routes(here: Ground) -> list[Rule]:
    """All that staff may open: one rule for each way of asking."""
    made = app.create_app(Settings.from_env({**here.environ}))
    found = []
    for rule in sorted(made.url_map.iter_rules(), key=lambda rule: rule.endpoint):
        is_wanted = "GET" in (rule.methods or ()) or any(rule.endpoint == endpoint for endpoint, _ in POSTS.values())
        if is_wanted and roles.MAY.get(rule.endpoint, roles.ANYBODY) is not roles.ANYBODY:
            found.append(rule)
    made.extensions["gateway"].engine.dispose()
    return found


@contextmanager
def web(here: Ground) -> Iterator[tuple[int, int]]:
    """The web process on a port of its own; both numbers."""
    port = free_port()
    with ground.process(here, "-m", "gateway", "web", GATEWAY_PORT=str(port), GATEWAY_WEB_WORKERS="1", GATEWAY_PUBLIC_URL=f"http://127.0.0.1:{port}") as process:
        wait_listening(port)
        yield process.pid, port


def measure(here: Ground, asked: list[Case], who: Mapping[str, UUID], each: int) -> float:
    """Ask for every page again and again, all pages in turn; the peak memory of the web process in MB. What is refused is left out."""
    with web(here) as (pid, port):
        browsers = {name: Browser(here, port, staff_id) for name, staff_id in who.items()}
        for n in range(-1, each):
            for case in list(asked):
                if n >= EACH_LONG and min(case.took_ms) > LONG_MS:
                    continue
                took, case.size, is_page = browsers[case.who].ask(case.paths[n % len(case.paths)], case.form)
                if not is_page:
                    asked.remove(case)
                elif n >= 0:
                    case.took_ms.append(took)
        return max(ground.peak_mb(child) for child in [pid, *ground.children(pid)])


def plans(here: Ground, asked: Sequence[Case], who: Mapping[str, UUID]) -> dict[str, tuple[float, str, str]]:
    """Statement -> milliseconds, page and plan, of those that take long; PostgreSQL itself explains what it just did."""
    owner, log, found = embedded.start(here.var).admin_url, here.var / "postgres.log", dict[str, tuple[float, str, str]]()
    settings = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": str(SLOW_STATEMENT_MS), "auto_explain.log_analyze": "on",
                "auto_explain.log_buffers": "on", "auto_explain.log_parameter_max_length": "0"}  # fmt: skip
    with psycopg.connect(owner, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER ROLE gateway SET {name} = '{value}'".encode())
        try:
            with web(here) as (_, port):
                browsers = {name: Browser(here, port, staff_id) for name, staff_id in who.items()}
                for case in asked:
                    before = log.stat().st_size
                    browsers[case.who].ask(case.paths[0], case.form)
                    for took, statement, plan in _explained(log, before):
                        if took > found.get(statement, (0.0, "", ""))[0]:
                            found[statement] = took, f"{case.page} as {case.who}", plan
        finally:
            for name in settings:
                connection.execute(f"ALTER ROLE gateway RESET {name}".encode())
    return found


def _explained(log: Path, since: int) -> Iterator[tuple[float, str, str]]:
    with log.open("rb") as file:
        file.seek(since)
        said = file.read().decode(errors="replace")
    for took, told in re.findall(r"duration: ([\d.]+) ms  plan:\n((?:\t.*\n?)+)", said):
        statement, cost, plan = told.replace("\n\t", "\n").strip().partition("  (cost=")
        asked, _, first = statement.removeprefix("Query Text:").rpartition("\n")
        yield float(took), " ".join(asked.split()), first + cost + plan


def show(asked: Sequence[Case], top: int | None) -> bool:
    """The table; whether every page is quick enough."""
    print(f"{'page':<58}{'as':<10}{'p50 ms':>8}{'p95 ms':>8}{'kB':>7}")
    ranked = sorted(asked, key=lambda case: -case.p(0.95))
    for case in ranked[:top]:
        late = " *" if case.p(0.95) > LIMIT_MS else ""
        print(f"{case.page[:57]:<58}{case.who:<10}{case.p(0.5):>8.0f}{case.p(0.95):>8.0f}{case.size / 1000:>7.1f}{late}")
    late = [case for case in asked if case.p(0.95) > LIMIT_MS]
    every = sorted(took for case in asked for took in case.took_ms)
    print(f"{len(asked)} pages and roles: {len(late)} above {LIMIT_MS} ms at p95; of all requests half within {every[len(every) // 2]:.0f} ms, "
          f"95 of 100 within {every[len(every) * 95 // 100]:.0f} ms")  # fmt: skip
    return not late


def main() -> None:
    """Make the database unless it is there, measure, explain."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=5_000_000, help="texts in all, 50 with each client")
    options.add_argument("--keep", type=Path, help="a folder for the database, which stays: made when it is not there")
    options.add_argument("--each", type=int, default=EACH, help="requests of each page")
    options.add_argument("--only", default="", help="pages whose name holds this")
    options.add_argument("--top", type=int, help="how many lines of the table, the slowest first")
    options.add_argument("--plans", type=Path, help="a file for the plans of the slow statements; else they are printed")
    given = options.parse_args()
    with ground.ground(given.keep) as here:
        province.make(here, given.messages // 50, 50)
        who = members(here)
        asked = [case for case in cases(here, routes(here), who) if given.only in case.page]
        peak = measure(here, asked, who, given.each)
        is_quick = show(asked, given.top)
        print(f"web process: {peak:.0f} MB at most")
        slow = sorted(plans(here, asked, who).items(), key=lambda found: -found[1][0])
    told = [f"{took:.0f} ms, on {page}\n{statement}\n{plan}\n" for statement, (took, page, plan) in slow]
    if given.plans:
        given.plans.write_text("\n".join(told))
    print(f"{len(slow)} statements above {SLOW_STATEMENT_MS} ms" + (f": their plans are in {given.plans}" if given.plans else ""))
    for one in [] if given.plans else told:
        print(one)
    sys.exit(not is_quick)


if __name__ == "__main__":
    main()
