"""A page as a browser sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br"}


@dataclass
class Page(HTMLParser):
    """A page as a browser sees it: its text, the cells of its table rows, its links; faults of nesting."""

    content: str
    faults: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.content)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open += [] if tag in VOID else [tag]
        self.rows += [[]] if tag == "tr" else []
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.links += [value or "" for name, value in attributes if name == "href"]
        self.sources += [value or "" for name, value in attributes if name == "src"]

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self._open):
            return
        if "title" not in self._open:
            self.text += data
        if self._open and {"td", "th"} & set(self._open) and "title" not in self._open:
            self.rows[-1][-1] += data

    def row(self, first: str) -> list[str]:
        """Return the first row that begins with a text."""
        return next(row for row in self.rows if row and row[0] == first)
