"""A report drawn as SVG: a bar for each row, its columns one after the other. Plain attributes, no script, no style, no other file."""

from collections.abc import Sequence
from html import escape

from gateway.domain.reports import Row, Table
from gateway.domain.told import N_, Gettext

WIDTH, LEFT, RIGHT, BAR, STEP = 900, 150, 60, 20, 28
# Dark enough that white figures on them are read (WCAG 4.5 to 1), and apart from each other without their colour: figures, gaps, order.
COLOURS = ("#1d5f8a", "#8a3b12", "#2e6b3a", "#6b3fa0", "#5a5a5a", "#a3195b", "#7a5c00")
INK, HIDDEN_WIDTH, DIGIT = "#1a1a1a", 26, 7.5

SUMMARY = N_("{rows} rows; each bar shows {columns}. The table beside it says the same. Hidden: groups of fewer than {smallest}, and what would give them away.")
HIDDEN = N_("hidden")
NOTHING = N_("There is nothing to draw: no figure is above 0.")


def draw(table: Table, _: Gettext, id: str = "chart") -> str:
    """The picture, in the language of `_`. `id` begins the ids in it, one for each picture of a page."""
    report, rows = table.report, table.rows
    columns = [_(name) for name in report.columns.values()]
    title = f"{_(report.title)}: {table.unit_code}, {table.period}"
    if is_nothing := all(count == 0 for row in rows for count in row.counts):
        rows = []
    about = _(NOTHING) if is_nothing else _(SUMMARY).format(rows=len(rows), columns=", ".join(columns), smallest=table.smallest)
    legend, top = _legend(columns, _(HIDDEN), id)
    most = max([sum(filter(None, row.counts)) for row in rows] or [0]) or 1
    room = WIDTH - LEFT - RIGHT - HIDDEN_WIDTH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + STEP * max(len(rows), 1) + 12}" role="img"'
        f' aria-labelledby="{id}-title {id}-about" font-family="sans-serif" font-size="13">',
        f'<title id="{id}-title">{escape(title)}</title>', f'<desc id="{id}-about">{escape(about)}</desc>',
        f'<defs><pattern id="{id}-hidden" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="#fff"/><rect width="2" height="6" fill="{INK}"/></pattern></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>', *legend,
    ]  # fmt: skip
    if is_nothing:
        parts.append(f'<text x="{LEFT}" y="{top + BAR - 6}" fill="{INK}">{escape(_(NOTHING))}</text>')
    for n, row in enumerate(rows):
        parts += _bar(row, columns, top + STEP * n, room / most, _(HIDDEN), id)
    return "\n".join([*parts, "</svg>", ""])


def _legend(columns: Sequence[str], hidden: str, id: str) -> tuple[list[str], int]:
    """What each colour means, in as many lines as it takes; and where the bars begin."""
    parts, x, y = list[str](), 8.0, 10
    for name, fill in [*zip(columns, COLOURS, strict=False), (hidden, f"url(#{id}-hidden)")]:
        wide = 30 + DIGIT * len(name)
        if x + wide > WIDTH:
            x, y = 8.0, y + 22
        parts.append(f'<rect x="{x:.0f}" y="{y}" width="14" height="14" fill="{fill}" stroke="{INK}"/>')
        parts.append(f'<text x="{x + 20:.0f}" y="{y + 12}" fill="{INK}">{escape(name)}</text>')
        x += wide
    return parts, y + 34


def _bar(row: Row, columns: Sequence[str], y: int, per_one: float, hidden: str, id: str) -> list[str]:
    """One row: its label, a piece for each column with its figure where there is room, and its total."""
    middle = y + BAR - 6
    parts = [f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end" fill="{INK}">{escape(_short(row.label))}</text>']
    x = float(LEFT)
    for name, count, colour in zip(columns, row.counts, COLOURS, strict=False):
        if count:
            width, figure = count * per_one, f"{count:,}".replace(",", "\u202f")
            parts.append(f'<g><title>{escape(f"{row.label}: {name} {figure}")}</title>'
                         f'<rect x="{x:.1f}" y="{y}" width="{max(width - 1, 0.5):.1f}" height="{BAR}" fill="{colour}"/>')  # fmt: skip
            if width > DIGIT * len(figure) + 6:
                parts.append(f'<text x="{x + width / 2:.1f}" y="{middle}" text-anchor="middle" fill="#fff">{figure}</text>')
            parts.append("</g>")
            x += width
    if not any(row.counts) and None not in row.counts:
        parts.append(f'<text x="{LEFT + 2}" y="{middle}" fill="{INK}">0</text>')
    if None in row.counts:
        said = ", ".join(name for name, count in zip(columns, row.counts, strict=True) if count is None)
        parts.append(f'<g><title>{escape(f"{row.label}: {said}: {hidden}")}</title><rect x="{x:.1f}" y="{y}" width="{HIDDEN_WIDTH}" '
                     f'height="{BAR}" fill="url(#{id}-hidden)" stroke="{INK}"/></g>')  # fmt: skip
    return parts


def _short(label: str) -> str:
    return label if len(label) <= 18 else label[:17] + "…"
