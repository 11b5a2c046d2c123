"""The little that every page needs: who looks, their transaction, their language and clock, and how it is shown."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache, partial
from typing import Any

from babel import Locale, dates, numbers
from flask import current_app, g, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from gateway.domain import told
from gateway.domain.errors import NotFound, Refused
from gateway.domain.told import Gettext, Retold
from gateway.parts import Gateway
from gateway.store import logins
from gateway.store.base import SYSTEM, Work, unit_of_work, untangled
from gateway.store.staff import Member
from gateway.web import guard, roles

MOST_PAGES = 10_000  # of a list


def gateway() -> Gateway:
    """The parts of this process."""
    found: Gateway = current_app.extensions["gateway"]
    return found


def signed_in() -> logins.Found | None:
    """Who is signed in, if anybody."""
    found: logins.Found | None = g.visit.found if "visit" in g else None
    return found


def member() -> Member:
    """Who looks. Only on pages that ask for a login."""
    found = signed_in()
    assert found is not None, "this page asks for no login"
    return found.member


def work() -> AbstractContextManager[Work]:
    """A transaction as whoever looks: it holds the rows of their units that their role may see, and no others."""
    return unit_of_work(gateway().engine, member().actor, guard.now())


def system() -> AbstractContextManager[Work]:
    """A transaction for what reaches beyond the rights of whoever looks, after they were checked; audit with `by=page.member().actor`."""
    return unit_of_work(gateway().engine, SYSTEM, guard.now())


def zone() -> tzinfo:
    """The clock of the unit of whoever looks."""
    return dates.get_timezone(_zone())


def go(endpoint: str, **values: Any) -> Response:
    """After a deed: have the browser load this page, so that a reload repeats nothing."""
    return redirect(url_for(endpoint, **values), 303)


def do(
    act: Callable[[Work], object], refused: Callable[[Refused], str], said: str | Callable[[], str], endpoint: str, *,
    opened: Callable[[], AbstractContextManager[Work]] = work, **values: Any,
) -> Response | tuple[str, int]:  # fmt: skip
    """Do a deed in one transaction, then load the page of this endpoint, which says so; what is refused is told by the page that `refused` gives.

    `said` is translated and filled in already, or made once it is done. What is not there stays a 404. `act` runs again when
    PostgreSQL undid it because of another transaction, such as a text of the same client that comes just then.
    """
    def once() -> None:
        with opened() as transaction:
            act(transaction)

    try:
        untangled(once)
    except NotFound:
        raise
    except Refused as why:
        return refused(why), 400
    tell("{said}", said=said if isinstance(said, str) else said())
    return go(endpoint, **values)


def file(text: str, name: str) -> Response:
    """A table to be saved, marked so that a spreadsheet reads its letters right."""
    answer = Response(b"\xef\xbb\xbf" + text.encode(), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def tell(message: str, **values: object) -> None:
    """Have the next page say that it was done. `message` is translated already; no name, number or text of a client in it.

    Call it when the page's own transaction is closed: it opens another.
    """
    found = signed_in()
    assert found is not None
    with guard.house(gateway()).work() as work:
        logins.tell(work, found.login.id, message.format(**values))


def language() -> str:
    """The language of whoever looks: their own, else what their browser asks for."""
    known = gateway().content.languages
    found = signed_in()
    if found is not None and found.member.language in known:
        return found.member.language
    return request.accept_languages.best_match(known) or "en"


def gettext() -> Gettext:
    """`_ = page.gettext()`, for messages of Python code."""
    return gateway().content.gettext(language())


def retold() -> Retold:
    """What tells texts that were kept in English, such as a state or a reason, in that language."""
    return _retold(language())


def at() -> int:
    """Which part of a long list is asked for, from 1."""
    return min(max(request.args.get("page", 1, int), 1), MOST_PAGES)


def render(template: str, **values: Any) -> str:
    """A page. Beside `values` a template has what `context` gives."""
    return render_template(template, **values)


def context() -> dict[str, Any]:
    """What every template may use."""
    code = language()
    return {
        "_": gateway().content.gettext(code), "language": code, "languages": gateway().content.languages, "shown": _retold(code),
        "found": signed_in(), "notice": g.visit.notice if "visit" in g else "", "nav": _nav(), "csrf": _csrf,
        "when": when, "day_of": day_of, "clock": clock, "span": span, "number": number, "masked": masked, "may": may,
        "titled": titled, "tongue": tongue, "basis": basis,
    }  # fmt: skip


def _csrf() -> Markup:
    """The hidden field that every form by POST must have."""
    return Markup('<input type="hidden" name="form_token" value="{}">').format(g.visit.form_token)


def may(endpoint: str) -> bool:
    """Whether it is there, and the role of whoever looks may open it."""
    found = signed_in()
    return found is not None and endpoint in current_app.view_functions and found.member.role in roles.MAY.get(endpoint, ())


def _nav() -> list[tuple[str, str, bool]]:
    """Address, label, and whether it is where we are."""
    here = request.endpoint or ""
    found = signed_in()
    if found is None or found.login.stage != "in":
        return []
    return [(url_for(end), label, end.partition(".")[0] == here.partition(".")[0]) for end, label in roles.NAV if may(end)]


# --- times, figures, numbers of phones -----------------------------------------------------------------------------------


def _zone() -> str:
    found = signed_in()
    return found.zone if found is not None else "UTC"


def locale() -> Locale:
    """How dates and figures are written for whoever looks."""
    return _locale(gateway().content.languages[language()].locale)


_locale = cache(partial(Locale.parse, sep="_"))


def _now() -> datetime:
    """The time at which the page was asked for, on the clock that its rows go by."""
    return g.at if "at" in g else guard.now() or datetime.now(UTC)


def when(at: datetime) -> str:
    """Day and time, as a clock in the unit of whoever looks shows it."""
    zone = dates.get_timezone(_zone())
    return f"{day_of(at.astimezone(zone).date())}, {dates.format_skeleton('Hm', at, tzinfo=zone, locale=locale())}"


def clock(at: datetime) -> str:
    """The time alone when it is today there, else the day too."""
    zone = dates.get_timezone(_zone())
    today = _now().astimezone(zone).date()
    return dates.format_time(at, "HH:mm", tzinfo=zone, locale=locale()) if at.astimezone(zone).date() == today else when(at)


def day_of(on: date) -> str:
    """A day with its weekday, and the year if it is another."""
    today = _now().astimezone(dates.get_timezone(_zone()))
    return _day_of(on, on.year == today.year, locale())


@lru_cache(4096)
def _day_of(on: date, is_this_year: bool, locale: Locale) -> str:
    return dates.format_skeleton("MMMEd" if is_this_year else "yMMMEd", on, locale=locale)


def span(length: timedelta) -> str:
    """A length of time in its largest unit, never more than it is: "7 hours"."""
    minutes = max(int(abs(length).total_seconds()) // 60, 1)
    step = next((each for each in (7 * 1440, 1440, 60) if minutes >= each), 1)
    return _span(minutes // step * step, locale())


@lru_cache(4096)
def _span(minutes: int, locale: Locale) -> str:
    return dates.format_timedelta(timedelta(minutes=minutes), locale=locale, threshold=0.99)


def number(figure: float) -> str:
    """A figure with the signs of the language."""
    return numbers.format_decimal(figure, locale=locale())


def masked(e164: str | None) -> str:
    """A phone's last two digits. The whole number is shown by a logged deed alone."""
    return "…" + e164[-2:] if e164 else "–"


def titled(purpose: str) -> str:
    """What the reader calls a text or dialogue of the library."""
    return gateway().content.title(purpose, language())


def shown(text: str) -> str:
    """A text of ours that was kept as finished English (a state, a reason), in the reader's language."""
    return _retold(language())(text)


def basis(text: str) -> str:
    """How a consent can be proved: one that imports write, "signed (2024-12-05)", in the reader's language; else as it was written."""
    word, bracket, day = text.partition(" (")
    return shown(word) + bracket + day


def tongue(code: str) -> str:
    """A language by its own name; one that there are no texts in as the reader's language calls it."""
    return _tongue(language(), code)


def _tongue(reader: str, code: str) -> str:
    known = gateway().content.languages
    return known[code].name if code in known else Locale.parse(known[reader].locale, sep="_").languages.get(code, code)


@cache
def _retold(code: str) -> Retold:
    known = gateway().content.translations.get(code, {})
    return Retold({message: said or told.plain(message) for message, said in known.items()}, partial(_tongue, code))
