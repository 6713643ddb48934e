"""Bundles: made from the sources that lie beside them, and nothing in them reaches out of a page."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from movi_prep.pages.assets import read_asset, whole_page
from movi_prep.pages.html import element

WEB = Path(__file__).parents[2] / "web"
BUNDLES = ("viewer.js", "report.js", "viewer.css", "report.css")


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_are_those_of_the_sources(name: str) -> None:
    sources = sorted(["package-lock.json", *(f"src/{path.name}" for path in (WEB / "src").iterdir())])
    digest = hashlib.sha256(b"".join((WEB / source).read_bytes() for source in sources)).hexdigest()
    found = re.search(r"sources sha256:([0-9a-f]{64})", read_asset(name))
    assert found is not None
    assert found[1] == digest, "the sources have changed: cd web && npm ci && npm run build"


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_cannot_end_its_own_element(name: str) -> None:
    assert not re.search(r"</(script|style)", read_asset(name), re.IGNORECASE)


def test_pages_may_load_nothing() -> None:
    page = whole_page("<b>", "report.css", element("p", "text"))
    assert "default-src &#x27;none&#x27;" in page
    assert "<title>&lt;b&gt;</title>" in page
    # Addresses of namespaces and in comments are no requests; those in url() or src would be.
    assert not re.search(r"url\(|src=|@import|<link", page)
