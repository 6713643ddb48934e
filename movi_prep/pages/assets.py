"""Scripts, styles and bodies of pages that travel inside the package; pages carry them, and load nothing."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from movi_prep.pages.html import Html, element

# Inline only: pages open from the file system, where every address would be another origin.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""A page of ours can reach no network, whatever it holds."""


@cache
def read_asset(name: str) -> str:
    """Return the text of a packaged file of pages."""
    return (files("movi_prep.pages") / "bundles" / name).read_text(encoding="utf-8")


def script(name: str) -> Html:
    """Return a bundled script as an element; bundlers write no `</script` into it."""
    return Html(f"<script>{read_asset(name)}</script>")


def whole_page(title: str, style: str, *body: Html, class_: str | None = None) -> str:
    """Return a page that opens from the file system, with a bundled style."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(read_asset(style))),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', *body, class_=class_), lang='en')}\n"


def page(title: str, subtitle: object, *content: object) -> str:
    """Return a page of the report, with the script that sorts and filters its tables and draws its curves."""
    header = element("header", element("h1", title), element("p", subtitle))
    return whole_page(title, "report.css", header, element("main", *content), script("report.js"))
