"""A line as a picture: its weeks as dots, its curve, its limit, and a year to come, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

from .lines import Line

WIDTH: Final = 240
HEIGHT: Final = 72
AHEAD: Final = 52  # weeks to come that are drawn


class Picture:
    """Where everything of a line lies in its picture."""

    def __init__(self, line: Line) -> None:
        growth = line.growth
        self.line = line
        seen = line.values[-growth.periods :] if growth.periods else ()
        trend, ahead = growth.trend, growth.ahead[:AHEAD]
        limit = growth.capacity.middle if growth.capacity else 0.0
        self._top = max((*seen, *trend, *ahead, limit), default=0.0) or 1.0
        self._across = max(len(seen) + len(ahead) - 1, 1)
        self.dots = self._points(seen, 0)
        self.curve = self._joined(trend, 0)
        self.ahead = self._joined((*trend[-1:], *ahead), max(len(trend) - 1, 0))
        self.limit_y = self._y(limit) if limit else None

    def svg(self, label: str) -> str:
        """Return the picture as an element of a page, or as a file; label says what it shows to who can't see it."""
        parts = [f'<circle cx="{x}" cy="{y}" r="1.5" fill="currentColor" opacity="0.45"/>' for x, y in self.dots]
        if self.limit_y is not None:
            ends = f'x1="0" x2="{WIDTH}" y1="{self.limit_y}" y2="{self.limit_y}"'
            parts.append(f'<line {ends} stroke="currentColor" stroke-width="1" opacity="0.6"/>')
        line = 'fill="none" stroke="currentColor" stroke-width="2"'
        if self.curve:
            parts.append(f'<polyline points="{self.curve}" {line}/>')
        if self.ahead:
            parts.append(f'<polyline points="{self.ahead}" {line} stroke-dasharray="4 4"/>')
        size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(label)}>'
        return f"{head}{''.join(parts)}</svg>"

    def _y(self, value: float) -> float:
        return round(HEIGHT - 2 - (HEIGHT - 4) * value / self._top, 1)

    def _points(self, values: Sequence[float], begin: int) -> list[tuple[float, float]]:
        return [(round(WIDTH * (begin + at) / self._across, 1), self._y(one)) for at, one in enumerate(values)]

    def _joined(self, values: Sequence[float], begin: int) -> str:
        return " ".join(f"{x},{y}" for x, y in self._points(values, begin))
