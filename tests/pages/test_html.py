"""Text of a page is escaped as `html.escape` does it."""

from __future__ import annotations

from html import escape

from hypothesis import given
from hypothesis import strategies as st

from movi_prep.pages.html import Html, element, markup
from movi_prep.plain_text import visible


@given(st.text(alphabet=st.one_of(st.sampled_from("&<>\"';"), st.characters())))
def test_text_is_escaped_as_the_standard_library_does(text: str) -> None:
    assert markup(text) == escape(visible(text))
    assert element("a", href=text) == f'<a href="{escape(visible(text))}"></a>'
    assert markup(Html(text)) == text
