"""A rehearsal drawn as SVG: a bar for each day, holidays and clock changes behind them."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from html import escape

from gateway.domain.told import Gettext
from gateway.usecases.rehearse_campaign import Day, Rehearsal

WIDTH, LEFT, TOP, HEIGHT, BELOW = 1180, 70, 70, 260, 110
SENT, HELD, SKIPPED, HOLIDAY, CLOCK = "#1d5f8a", "#d98c21", "#9aa3ab", "#f6dcdc", "#6b3fa0"


def draw(name: str, seen: Rehearsal, _: Gettext, shown: Gettext) -> str:
    """The whole picture, in the language of `_` and `shown`. It needs no other file, and reads without colours: each bar says its figures."""
    first, last = seen.since.date(), seen.until.date()
    days = _by_day(seen)
    most = max([day.sent + day.skipped.total() for day in days.values()] or [1])
    scale = (WIDTH - LEFT - 20) / max((last - first).days + 1, 1)

    def x(on: date) -> float:
        return LEFT + (on - first).days * scale

    total = sum(day.sent for day in days.values())
    segments = sum(day.segments for day in days.values())
    title = _("{name}: {sent} texts, {segments} segments, {first} to {last}").format(
        name=name, sent=total, segments=segments, first=first, last=last)  # fmt: skip
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {TOP + HEIGHT + BELOW}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>", '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" font-size="17" fill="#111">{escape(title)}</text>', *_legend(_),
    ]  # fmt: skip
    for on, holiday in sorted(seen.holidays.items()):
        parts.append(_tipped(f'<rect x="{x(on):.1f}" y="{TOP}" width="{scale:.2f}" height="{HEIGHT}" fill="{HOLIDAY}"', "rect", f"{on}: {holiday}"))
    parts += _axis(most, first, last, x)
    for on, day in sorted(days.items()):
        parts += _bar(day, x(on), max(scale * 0.9, 2.4), HEIGHT / most, _tip(on, day, _, shown))
    for on, zones in sorted(seen.clock_changes.items()):
        mark = f'<line x1="{x(on):.1f}" y1="{TOP - 6}" x2="{x(on):.1f}" y2="{TOP + HEIGHT}" stroke="{CLOCK}" stroke-dasharray="4 3"'
        parts.append(_tipped(mark, "line", _("{day}: clocks change ({zones})").format(day=on, zones=zones)))
    return "\n".join([*parts, "</svg>", ""])


def _by_day(seen: Rehearsal) -> dict[date, Day]:
    days: defaultdict[date, Day] = defaultdict(Day)
    for (on, _purpose), each in seen.days.items():
        day = days[on]
        day.sent, day.segments, day.held, day.skipped = (
            day.sent + each.sent, day.segments + each.segments, day.held + each.held, day.skipped + each.skipped)  # fmt: skip
    return days


def _tipped(tag: str, name: str, tip: str) -> str:
    return f"{tag}><title>{escape(tip)}</title></{name}>"


def _tip(on: date, day: Day, _: Gettext, shown: Gettext) -> str:
    whys = [f"{count} {shown(why)}" for why, count in (*day.held.items(), *day.skipped.items())]
    return "; ".join([_("{day}: {sent} sent").format(day=on, sent=day.sent), *whys])


def _bar(day: Day, x: float, width: float, per_text: float, tip: str) -> list[str]:
    """What is sent from the bottom up, what of it was held or moved in its own colour, and what is skipped on top."""
    late = min(day.held.total(), day.sent)
    bars, y = [], float(TOP + HEIGHT)
    for count, colour in ((day.sent - late, SENT), (late, HELD), (day.skipped.total(), SKIPPED)):
        if count:
            y -= count * per_text
            bars.append(_tipped(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{count * per_text:.1f}" fill="{colour}"', "rect", tip))
    return bars


def _legend(_: Gettext) -> list[str]:
    entries = ((SENT, _("sent")), (HELD, _("sent later, or on another day")), (SKIPPED, _("skipped")), (HOLIDAY, _("holiday")), (CLOCK, _("clocks change")))
    found, x = [], LEFT
    for colour, words in entries:
        found.append(f'<rect x="{x}" y="40" width="12" height="12" fill="{colour}"/><text x="{x + 18}" y="51" fill="#333">{escape(words)}</text>')
        x += 44 + 7 * len(words)
    return found


def _axis(most: int, first: date, last: date, x: Callable[[date], float]) -> list[str]:
    """Three heights, the first day of each month, and the Mondays as short marks."""
    bottom = TOP + HEIGHT
    found = [f'<line x1="{LEFT}" y1="{bottom}" x2="{WIDTH - 20}" y2="{bottom}" stroke="#333"/>']
    for share in (0.5, 1.0):
        y = bottom - HEIGHT * share
        found.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 20}" y2="{y}" stroke="#ddd"/>')
        found.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#333">{most * share:.0f}</text>')
    for n in range((last - first).days + 1):
        on = first + timedelta(days=n)
        if on.weekday() == 0:
            found.append(f'<line x1="{x(on):.1f}" y1="{bottom}" x2="{x(on):.1f}" y2="{bottom + 4}" stroke="#333"/>')
        if on.day == 1 or (n == 0 and on.day < 20):
            found.append(f'<line x1="{x(on):.1f}" y1="{bottom}" x2="{x(on):.1f}" y2="{bottom + 10}" stroke="#333"/>')
            found.append(f'<text transform="translate({x(on) + 4:.1f} {bottom + 22}) rotate(45)" fill="#333">{on}</text>')
    return found
