"""Markup for the report: text is escaped unless it is markup already, pages carry their own style and no script."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Literal

from movi_prep.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Verdict = Literal["good", "check", "bad", "none"]
"""How a value stands to its guideline; "none" where there is none."""

VERDICT_WORDS: dict[Verdict, str] = {"good": "good", "check": "check", "bad": "over limit", "none": "no data"}
"""What stands beside a colour, for those who do not see it, or print in grey."""

_VOID = frozenset({"img", "meta", "br", "link"})
"""Elements of HTML that have no end tag."""


class Html(str):
    """Text that is markup already; every other text is escaped when it enters a page."""

    __slots__ = ()


def markup(content: object) -> Html:
    """Return content as markup: `Html` as it is, everything else escaped."""
    return content if isinstance(content, Html) else Html(escape(visible(content)))


def join(parts: Iterable[object], separator: str = "") -> Html:
    """Return parts one after the other as markup."""
    return Html(separator.join(markup(part) for part in parts))


def element(name: str, /, *content: object, **attributes: object) -> Html:
    """Return an element; attribute `class_` is written `class`, underscores within become hyphens."""
    # Attributes that are None are left out: callers pass what a cell may have.
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(visible(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{join(content)}</{name}>")


def badge(verdict: Verdict, text: str = "") -> Html:
    """Return a coloured word; the word tells what the colour does."""
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


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Html:
    """Return a table; columns whose name ends in `#` are numbers, aligned right."""
    kinds = ["number" if column.endswith("#") else None for column in columns]
    head = [element("th", name.rstrip("#"), class_=kind) for name, kind in zip(columns, kinds, strict=True)]
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", inner, class_="scroll")


def section(title: str, explanation: object, *content: object) -> Html:
    """Return a titled part of a page; its anchor is the title in lower case."""
    return element(
        "section",
        element("h2", title),
        element("p", explanation, class_="explanation") if explanation else "",
        *content,
        id=anchor(title),
    )


def anchor(title: str) -> str:
    """Return the anchor of a section."""
    return title.lower().replace(" ", "-")


def folded(summary: object, *content: object) -> Html:
    """Return content that opens on a click."""
    return element("details", element("summary", summary), *content)


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


def page(title: str, subtitle: object, *content: object) -> str:
    """Return a whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(_STYLE)),
    )
    header = element("header", element("h1", title), element("p", subtitle))
    body = element("body", header, element("main", *content))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


_STYLE = """
:root { --ink: #1d2530; --soft: #5b6776; --line: #dde3ea; --paper: #ffffff; --ground: #f4f6f8; --blue: #2b6cb0;
  --good: #1b7a4b; --check: #9a5b00; --bad: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; }
header { background: #17324d; color: #fff; padding: 20px 32px; }
header h1 { margin: 0; font-size: 24px; font-weight: 600; }
header p { margin: 4px 0 0; color: #c9d6e3; }
header a { color: #fff; }
main { max-width: 1360px; margin: 0 auto; padding: 20px 32px 60px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px 20px;
  margin: 16px 0; }
h2 { margin: 0 0 4px; font-size: 18px; }
h3 { margin: 18px 0 6px; font-size: 15px; }
a { color: var(--blue); }
.explanation, .remark, .missing, figcaption { color: var(--soft); font-size: 13.5px; }
.explanation { margin: 0 0 12px; max-width: 130ch; }
.missing { font-style: italic; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line); padding: 4px 8px;
  vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: 4px 8px; vertical-align: middle; }
th.number, td.number { text-align: right; } td.number, td .badge, .value { white-space: nowrap; }
td .judged { white-space: normal; }
tbody tr:hover { background: #f7f9fb; }
.badge { display: inline-block; border-radius: 9px; padding: 0 8px; font-size: 12px; font-weight: 600; color: #fff;
  white-space: nowrap; }
.badge.good { background: var(--good); } .badge.check { background: var(--check); }
.badge.bad { background: var(--bad); } .badge.none { background: #8a94a0; }
.value.good { color: var(--good); } .value.check { color: var(--check); font-weight: 600; }
.value.bad { color: var(--bad); font-weight: 600; } .value.none { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 16px 0; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.card .name { color: var(--soft); font-size: 13px; } .card .large { font-size: 24px; font-weight: 600; }
.charts { display: flex; flex-wrap: wrap; gap: 20px; margin: 8px 0; }
figure { margin: 0; } figcaption { margin-top: 2px; }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(360px, 1fr)); gap: 10px; margin: 8px 0; }
.strip img { width: 100%; display: block; border-radius: 4px; }
code { font: 12.5px/1.4 ui-monospace, Menlo, Consolas, monospace; background: var(--ground); padding: 1px 4px;
  border-radius: 3px; overflow-wrap: anywhere; }
ul { margin: 6px 0; padding-left: 20px; } li { margin: 2px 0; }
summary { cursor: pointer; color: var(--blue); margin: 8px 0; }
nav { margin: 8px 0 0; font-size: 14px; } nav a { margin-right: 14px; }
svg text { font: 11px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #5b6776; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 4px -1px 10px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
