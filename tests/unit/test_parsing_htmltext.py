"""HTML as text: what a person would read, and what the structure says about quotes and signatures."""

from __future__ import annotations

import pytest

from intake.parsing.flatten import MAX_TAGS, flatten, strip_tags
from intake.parsing.htmltext import render
from intake.types import FoldKind


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
        ("<div>One</div><div><br></div><div>Two</div>", "One\n\nTwo"),
        ("<p class=MsoNormal>One</p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>Two</p>", "One\n\nTwo"),
        ("  a \n  b\t c ", "a b c"),
        ("<b>bo</b>ld and <i>it</i>alic", "bold and italic"),
        ("<ul><li>One<li>Two<ul><li>Deep</ul></ul>", "- One\n- Two\n\n  - Deep"),
        ("<ol><li>One</li><li>Two</li></ol>", "1. One\n2. Two"),
        (
            "<table><tr><td>Name</td><td>Price</td></tr><tr><td>Bell</td><td>12</td></tr></table>",
            "Name\tPrice\nBell\t12",
        ),
        ("<table><tr><td><p>Name</p></td><td><div>Price</div></td></tr></table>", "Name\n\nPrice"),
        ("<pre>a  b\n  c</pre>", "a  b\n  c"),
        ("x<hr>y", "x\n" + "_" * 32 + "\ny"),
        ("<blockquote>One<blockquote>Two</blockquote></blockquote>Three", "> One\n>\n>> Two\n\nThree"),
        ("a <!-- b --> c<style>d</style><script>e</script><title>f</title>", "a c"),
        ('a<div style="display: none">hidden</div>', "a"),
        ('<img src="cid:1" alt="Our logo"><img src="cid:2" alt="">', "[Our logo]"),
        ("1 &lt; 2 &amp; 3", "1 < 2 & 3"),
        ("Jane <jane@client.example> wrote", "Jane <jane@client.example> wrote"),
        ("", ""),
    ],
)
def test_html_reads_like_the_mail(html: str, text: str) -> None:
    assert render(html).text == text


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="https://shop.example/a">the shop</a>', "the shop <https://shop.example/a>"),
        ('<a href="https://shop.example/">shop.example</a>', "shop.example"),
        ('<a href="https://www.shop.example/a">https://shop.example/a/</a>', "https://shop.example/a/"),
        ('<a href="mailto:anna@client.example">anna@client.example</a>', "anna@client.example"),
        ('<a href="mailto:anna@client.example">Anna</a>', "Anna <mailto:anna@client.example>"),
        ('<a href="javascript:alert(1)">here</a>', "here"),
        ('<a name="top">Top</a>', "Top"),
    ],
)
def test_a_link_shows_its_address_where_that_is_news(link: str, text: str) -> None:
    assert render(link).text == text


@pytest.mark.parametrize(
    "container",
    [
        'class="gmail_quote"',
        'class="gmail_quote gmail_quote_container"',
        'class="yahoo_quoted" id="yahoo_quoted_123"',
        'class="ydp9b1f0a55yahoo_quoted"',
        'class="moz-cite-prefix"',
        'class="protonmail_quote"',
        'class="zmail_extra"',
        'id="x_mail-editor-reference-message-container"',
        'id="OLK_SRC_BODY_SECTION"',
    ],
)
def test_a_quote_container_of_a_client_is_a_fold(container: str) -> None:
    rendered = render(f"<div>Fine.</div><div {container}>Plugh xyzzy:<br>Well?</div>")
    assert rendered.text == "Fine.\nPlugh xyzzy:\nWell?"
    assert [(fold.start, fold.end, fold.kind) for fold in rendered.folds] == [(1, 3, FoldKind.QUOTE)]


def test_inside_a_quote_container_answers_between_blockquotes_are_no_fold() -> None:
    rendered = render('<div class="gmail_quote">Plugh:<blockquote>Well?</blockquote>Fine.</div>')
    assert [(fold.start, fold.end) for fold in rendered.folds] == [(0, 1)]


@pytest.mark.parametrize(
    "header",
    [
        '<div id="divRplyFwdMsg"><b>Plugh:</b> Anna</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt"><b>Plugh:</b> a@b.example<br><b>Xyzzy:</b> 5</div>',
    ],
)
def test_below_the_header_that_outlook_draws_everything_is_a_fold(header: str) -> None:
    rendered = render(f"<div>Fine.</div>{header}<div>Well?</div><div>Anna</div>")
    (fold,) = rendered.folds
    assert (fold.start, fold.end) == (1, rendered.text.count("\n") + 1)


def test_a_line_above_a_division_without_header_lines_is_no_fold() -> None:
    assert render('<div style="border:none;border-top:solid #E1E1E1 1.0pt">My own box</div>').folds == ()


@pytest.mark.parametrize(
    "mark", ['class="gmail_signature"', 'class="moz-signature"', 'id="Signature"', 'id="x_Signature"']
)
def test_a_signature_is_a_fold(mark: str) -> None:
    rendered = render(f"<div>Fine.</div><div {mark}>Anna<br>Client Ltd</div>")
    assert [(fold.start, fold.end, fold.kind) for fold in rendered.folds] == [(1, 3, FoldKind.SIGNATURE)]


def test_a_signature_that_holds_a_whole_letter_is_no_fold() -> None:
    assert render('<div id="Signature">' + "<p>A paragraph.</p>" * 30 + "</div>").folds == ()


@pytest.mark.parametrize("tag", ["div", "blockquote", "b", "font", "table><tr><td", "ul><li", "a", "span"])
def test_deep_nesting_loses_no_text(tag: str) -> None:
    assert "deep inside" in render(f"<{tag}>" * 20_000 + "deep inside").text


def test_flattening_keeps_ordinary_html_as_it_is() -> None:
    html = "<div><p>One<p>Two</div>" * 500
    assert flatten(html) == html


def test_html_of_too_many_tags_is_stripped_without_losing_text() -> None:
    rendered = render("<i>x</i>" * MAX_TAGS + "the end &amp; more")
    assert rendered.text.endswith("the end & more")
    assert rendered.folds == ()


def test_stripping_keeps_what_only_looks_like_a_tag() -> None:
    assert strip_tags("1 < 2 <b>and</b> 3<5").replace("\n", "") == "1 < 2 and 3<5"


@pytest.mark.parametrize(
    "bait", ["<!--", "<", "&", "<div ", "</div>", "<select><option>", "<svg><desc>", "<table>x", "\0"]
)
def test_bait_hides_nothing_that_stands_before_it(bait: str) -> None:
    rendered = render("<p>before</p>" + bait * 20_000)
    assert rendered.text.startswith("before")
    assert rendered.folds == ()
