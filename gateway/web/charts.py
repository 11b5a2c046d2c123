"""Small pictures of a client's answers, as SVG within the page. The table beside each says the same in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

STEP, HEIGHT = 26, 70


@dataclass(frozen=True, slots=True)
class Bar:
    """One answer. `height` is from 0 to 1; None: silence. `tip` says it in words."""

    height: float | None
    kind: str  # good | bad | plain
    tip: str


def bars(bars: Sequence[Bar], title: str) -> Markup:
    """A bar for each answer in their order; silence is an empty ring."""
    width = max(len(bars), 8) * STEP
    drawn = Markup("").join(_bar(bar, at * STEP) for at, bar in enumerate(bars))
    return _picture(width, title, drawn)


def _bar(bar: Bar, x: int) -> Markup:
    if bar.height is None:
        return Markup('<circle class="silence" cx="{}" cy="{}" r="6"><title>{}</title></circle>').format(x + STEP // 2, HEIGHT - 10, bar.tip)
    tall = round(10 + bar.height * (HEIGHT - 14))
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
        bar.kind, x + 4, HEIGHT - tall, STEP - 8, tall, bar.tip)  # fmt: skip


def line(values: Sequence[tuple[float, str]], title: str, cut_off: float | None = None) -> Markup:
    """Points from 0 to 1, joined; `cut_off` is a line across."""
    width = max(len(values), 8) * STEP
    spots = [(at * STEP + STEP // 2, round(HEIGHT - 6 - value * (HEIGHT - 12), 1)) for at, (value, _) in enumerate(values)]
    drawn = Markup("")
    if cut_off is not None:
        y = round(HEIGHT - 6 - cut_off * (HEIGHT - 12), 1)
        drawn += Markup('<line class="cut" x1="0" x2="{}" y1="{}" y2="{}"/>').format(width, y, y)
    drawn += Markup('<polyline points="{}"/>').format(" ".join(f"{x},{y}" for x, y in spots))
    for (x, y), (_, tip) in zip(spots, values, strict=True):
        drawn += Markup('<circle cx="{}" cy="{}" r="4"><title>{}</title></circle>').format(x, y, tip)
    return _picture(width, title, drawn)


def _picture(width: int, title: str, drawn: Markup) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>').format(
        width, HEIGHT, width, HEIGHT, title, drawn)  # fmt: skip
