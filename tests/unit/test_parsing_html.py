"""Sanitised HTML keeps the look and can do no harm."""

from __future__ import annotations

import pytest

from intake.parsing.html import from_text, is_too_deep, sanitise
from intake.parsing.limits import MAX_HTML, MAX_HTML_DEPTH


def safe(markup: str) -> str:
    return sanitise(markup)[0] or ""


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>x",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' java\nscript:alert(1)'>x</a>",
        "<a href='&#106;avascript:alert(1)'>x</a>",
        "<a href='vbscript:x'>x</a>",
        "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
        "<iframe src=https://evil.example></iframe>",
        "<form action=https://evil.example><input name=p><button>x</button></form>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
        "<style>@import url(https://evil.example)</style>",
        "<link rel=stylesheet href=https://evil.example>",
        "<meta http-equiv=refresh content='0;url=https://evil.example'>",
        "<base href=https://evil.example>",
        "<object data=https://evil.example></object><embed src=https://evil.example>",
        "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
        "<img srcset='https://evil.example/x.png 2x'>",
        "<table background=https://evil.example/x.png><tr><td>x</table>",
        "<p style='background:url(https://evil.example/x.png)'>x</p>",
        "<p style='list-style-image:url(https://evil.example/x.png)'>x</p>",
        "<p style='width:expression(alert(1))'>x</p>",
        "<p style='background:u\\72l(https://evil.example)'>x</p>",
        "<video src=https://evil.example></video><audio src=https://evil.example></audio>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    ],
)
def test_nothing_runs_and_nothing_is_loaded(markup: str) -> None:
    found = safe(markup).lower()
    for word in ("script", "onerror", "evil.example", "data:", "<form", "<input", "url("):
        assert word not in found


def test_a_remote_image_is_blocked_until_asked_for() -> None:
    assert (
        safe("<img src='https://t.example/x.png' alt=Logo>")
        == '<img data-remote-src="https://t.example/x.png" alt="Logo">'
    )
    assert safe("<img src='//t.example/x.png'>") == '<img data-remote-src="https://t.example/x.png">'


def test_a_sender_cannot_unblock_an_image() -> None:
    assert "src" not in safe("<img src='cid:blocked-remote-image:javascript:alert(1)'>")
    assert "src" not in safe("<img data-remote-src='javascript:alert(1)'>")


def test_images_of_the_mail_itself_stay() -> None:
    assert safe("<img src='cid:a@b.example'>") == '<img src="cid:a@b.example">'
    assert safe("<img src='data:image/png;base64,AAAA'>") == '<img src="data:image/png;base64,AAAA">'


def test_links_are_safe() -> None:
    link = safe("<a href='https://shop.example/?a=1&amp;b=2'>x</a>")
    assert 'href="https://shop.example/?a=1&amp;b=2"' in link
    assert 'rel="noopener noreferrer nofollow"' in link
    assert 'target="_blank"' in link
    assert 'href="https://www.shop.example"' in safe("<a href='www.shop.example'>x</a>")
    assert 'href="mailto:a@b.example"' in safe("<a href='mailto:a@b.example'>x</a>")


def test_the_look_stays() -> None:
    markup = '<p style="color:red;position:fixed;margin:0 0 1em">x</p><font color="red" face="Arial">y</font>'
    assert safe(markup) == '<p style="color:red;margin:0 0 1em">x</p><font color="red" face="Arial">y</font>'
    assert "rgb(1, 2, 3)" in safe('<p style="color:rgb(1,2,3)">x</p>')


def test_html_that_lies_too_deep_is_not_shown() -> None:
    markup, defect = sanitise("<div>" * (MAX_HTML_DEPTH + 1))
    assert markup is None
    assert defect


def test_open_elements_of_style_count_as_depth() -> None:
    assert is_too_deep("<p><b>" * 100)
    assert not is_too_deep("<p><b>x</b>" * 10_000)
    assert not is_too_deep("<p>x<br><li>y<td>z" * 10_000)


def test_html_that_is_too_long_is_cut() -> None:
    markup, defect = sanitise("<p>x</p>" * (MAX_HTML // 8 + 10))
    assert markup is not None
    assert defect


def test_plain_text_becomes_html_that_shows_it() -> None:
    assert "&lt;b&gt; &amp; c" in from_text("<b> & c")


def test_a_meta_element_on_which_the_sanitiser_gives_up_is_left_out() -> None:
    broken = '<meta http-equiv="Content-Type" content="text/html; charset"><p>Hello</p>'
    assert sanitise(broken) == ("<p>Hello</p>", None)
