"""Bar charts as SVG, written by hand, because a plotting library is larger than the project."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from nixery.learning.learn import BUDGETS

Figures = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Strategy → budget → figure, as in the benchmark's last line."""

CHARTS = {
    "first": "Bytes pulled at first, in units of the distinct bytes",
    "after": "Bytes pulled after 0.2 % of the packages changed, in units of `size`",
}
COLOURS = ("#9aa5b1", "#c9a227", "#2b6cb0", "#90cdf4", "#805ad5")
WIDTH, HEIGHT = 640, 300
LEFT, TOP, BOTTOM = 40, 64, 268
BAR, GAP = 36, 4
_OPEN = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    ' font-family="sans-serif" font-size="12" role="img" aria-label="{title}">'
)


def write(directory: Path, strategies: Figures) -> list[Path]:
    """One file per chart, ``sharing-<figure>.svg``; equal figures give equal bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for figure, title in CHARTS.items():
        bars = {
            strategy: [by_budget[str(budget)][figure] for budget in BUDGETS]
            for strategy, by_budget in strategies.items()
        }
        file = directory / f"sharing-{figure}.svg"
        file.write_text(chart(title, bars))
        files.append(file)
    return files


def chart(title: str, bars: Mapping[str, Sequence[float]]) -> str:
    """A group of bars for each budget, a colour for each strategy, a number on each bar."""
    highest = max(max(values) for values in bars.values())
    scale = (BOTTOM - TOP - 16) / highest
    parts = [
        _OPEN.format(title=escape(title)),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 20, title, extra=' font-size="14"'),
        *_legend(list(bars)),
        # The reference line at one unit.
        f'<path d="M{LEFT} {BOTTOM - scale:.1f}H{WIDTH - 16}" stroke="#bbb" stroke-dasharray="4"/>',
        _text(LEFT - 6, BOTTOM - scale + 4, "1", anchor="end"),
    ]
    stride = (WIDTH - LEFT - 16) / len(BUDGETS)
    for group, budget in enumerate(BUDGETS):
        middle = LEFT + stride * (group + 0.5)
        start = middle - (len(bars) * (BAR + GAP) - GAP) / 2
        for n, values in enumerate(bars.values()):
            x, height = start + n * (BAR + GAP), values[group] * scale
            parts.append(
                f'<rect x="{x:.1f}" y="{BOTTOM - height:.1f}" width="{BAR}"'
                f' height="{height:.1f}" fill="{_colour(n)}"/>'
            )
            label = f"{values[group]:.2f}"
            parts.append(_text(x + BAR / 2, BOTTOM - height - 4, label, anchor="middle"))
        parts.append(_text(middle, BOTTOM + 18, f"{budget} layers", anchor="middle"))
    parts.append(f'<path d="M{LEFT} {BOTTOM}H{WIDTH - 16}" stroke="black"/>')
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    x = LEFT
    for n, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{_colour(n)}"/>')
        parts.append(_text(x + 16, 42, name))
        x += 40 + 7 * len(name)
    return parts


def _colour(n: int) -> str:
    return COLOURS[n % len(COLOURS)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(text)}</text>'
