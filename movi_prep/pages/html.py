"""Markup of pages: text is escaped unless it is markup already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from movi_prep.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Verdict = Literal["good", "check", "bad", "none"]
"""How a value stands to its guideline; "none" where there is none."""

VERDICT_WORDS: dict[Verdict, str] = {"good": "good", "check": "check", "bad": "over limit", "none": "no data"}
"""The word beside a colour, for readers who do not see it or print in grey."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""As `html.escape` has them: that module also loads the names of two thousand characters."""

_VOID = frozenset({"img", "meta", "br", "link"})
"""Elements of HTML that have no end tag."""


class Html(str):
    """Text that is markup already; every other text is escaped when it enters a page."""

    __slots__ = ()


def markup(content: object) -> Html:
    """Return content as markup: `Html` as it is, everything else escaped."""
    return content if isinstance(content, Html) else Html(visible(content).translate(_ESCAPES))


def join(parts: Iterable[object], separator: str = "") -> Html:
    """Return parts one after the other as markup."""
    return Html(separator.join(markup(part) for part in parts))


def element(name: str, /, *content: object, **attributes: object) -> Html:
    """Return an element; attribute `class_` is written `class`, underscores within become hyphens."""
    # Attributes that are None are left out: callers pass what a cell may have.
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{visible(value).translate(_ESCAPES)}"'
        for key, value in attributes.items()
        if value is not None
    )
    # A void element must have no end tag: browsers would read it as another element.
    return Html(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{join(content)}</{name}>")


def badge(verdict: Verdict, text: str = "") -> Html:
    """Return a coloured word that means what the colour means."""
    return element("span", text or VERDICT_WORDS[verdict], class_=f"badge {verdict}")


def judged(text: str, verdict: Verdict) -> Html:
    """Return a value with its verdict behind it, in colour and in words; good values stay quiet."""
    if verdict in ("good", "none"):
        return element("span", text, class_=f"value {verdict}")
    return _with_badge(text, verdict, "")


def counted(count: int, verdict: Verdict, word: str = "") -> Html:
    """Return a number of things that should be 0; any other number has a verdict, and a word that says it."""
    if not count:
        return element("span", "0", class_="value good")
    return _with_badge(count, verdict, word)


def _with_badge(value: object, verdict: Verdict, word: str) -> Html:
    """Return a value and its badge, which goes below where the table is narrow."""
    return element(
        "span", element("span", value, class_=f"value {verdict}"), " ", badge(verdict, word), class_="judged"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, shown: int | None = None) -> Html:
    """Return a table; columns whose name ends in `#` are numbers, aligned right.

    Args:
        columns: their names.
        rows: the cells.
        shown: how many rows the page's script shows at first; all of them without it.
    """
    kinds = ["number" if column.endswith("#") else None for column in columns]
    head = [element("th", name.rstrip("#"), class_=kind) for name, kind in zip(columns, kinds, strict=True)]
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body), data_shown=shown)
    return element("div", inner, class_="scroll")


def section(title: str, explanation: object, *content: object) -> Html:
    """Return a titled part of a page; its anchor is the title in lower case.

    Of an explanation that is plain text the first sentence is shown, the others open on a click.
    """
    return element(
        "section",
        element("h2", title),
        explain(explanation),
        *content,
        id=anchor(title),
    )


def explain(explanation: object) -> Html:
    """Return an explanation: its first sentence, and the others behind it where it is plain text."""
    if not explanation:
        return Html("")
    first, stop, rest = ("", "", "") if isinstance(explanation, Html) else str(explanation).partition(". ")
    if not rest:
        return element("p", explanation, class_="explanation")
    return element("details", element("summary", first, stop.strip()), element("p", rest), class_="explanation")


def anchor(title: str) -> str:
    """Return the anchor of a section."""
    return title.lower().replace(" ", "-")


def folded(summary: object, *content: object, is_open: bool = False) -> Html:
    """Return content that opens and closes on a click."""
    return element("details", element("summary", summary), *content, open="" if is_open else None)


def bullets(items: Iterable[object]) -> Html:
    """Return a list."""
    return element("ul", *(element("li", item) for item in items))


def missing(what: str, remedy: str) -> Html:
    """Return the sentence that stands where a stage left nothing."""
    return element("p", f"{what}: not there yet. ", element("code", remedy), " makes it.", class_="missing")


def cards(facts: Iterable[tuple[str, object, str]]) -> Html:
    """Return large numbers with their name and a word below: (name, value, remark)."""
    return element(
        "div",
        *(
            element(
                "div",
                element("div", name, class_="name"),
                element("div", value, class_="large"),
                element("div", remark, class_="remark"),
                class_="card",
            )
            for name, value, remark in facts
        ),
        class_="cards",
    )
