"""HTML of strangers made safe: the look stays, scripts, forms, frames and trackers go.

Images of the mail itself keep `src="cid:…"`; the portal turns that into an address of its own. Remote images
are blocked until asked for: their address stands in `data-remote-src` and there is no `src`. Links open in a new
window and tell nobody where they were clicked.
"""

from __future__ import annotations

import re
from html import escape

import nh3

from intake.parsing.limits import MAX_HTML, MAX_HTML_DEPTH, MAX_STYLE_DEPTH

_TAGS = """
a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del
details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main map
area mark menu nav ol p pre q s samp section small span strike strong sub summary sup table tbody td tfoot th thead
time tr tt u ul var wbr
"""
TAGS = set(_TAGS.split())
_WITHOUT_CONTENT = """
script style title template noscript iframe object applet svg math audio video
"""
WITHOUT_CONTENT = set(_WITHOUT_CONTENT.split())
LOOK = {"align", "valign", "bgcolor", "color", "dir", "lang", "title", "style", "width", "height"}
ATTRIBUTES = {
    "*": LOOK,
    "a": {"href", "name"},
    "area": {"href", "alt", "coords", "shape"},
    "map": {"name"},
    "img": {"src", "alt", "border", "hspace", "vspace"},
    "table": {"border", "cellpadding", "cellspacing", "summary"},
    "td": {"colspan", "rowspan", "nowrap"},
    "th": {"colspan", "rowspan", "nowrap", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "font": {"face", "size"},
    "hr": {"size", "noshade"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "blockquote": {"cite", "type"},
    "br": {"clear"},
    "time": {"datetime"},
    "bdo": {"dir"},
    "details": {"open"},
}
_STYLES = """
background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width border-collapse
border-color border-left border-left-color border-left-style border-left-width border-radius border-right
border-right-color border-right-style border-right-width border-spacing border-style border-top border-top-color
border-top-style border-top-width border-width caption-side clear color direction display empty-cells float font
font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style
list-style-position list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width
min-height min-width overflow-wrap padding padding-bottom padding-left padding-right padding-top page-break-after
page-break-before page-break-inside table-layout text-align text-decoration text-indent text-transform unicode-bidi
vertical-align white-space width word-break word-spacing word-wrap
"""
STYLES = set(_STYLES.split())
SCHEMES = {
    "http",
    "https",
    "mailto",
    "tel",
    "callto",
    "sip",
    "xmpp",
    "ftp",
    "ftps",
    "cid",
    "data",
    "geo",
    "sms",
    "webcal",
}
LINK_SCHEMES = re.compile(r"(?i)^(?:https?|mailto|tel|callto|sips?|xmpp|ftps?|geo|sms|webcal):|^#")
WITHOUT_SCHEME = re.compile(r"(?i)^(?:www\.|//)[a-z0-9-]")
OWN_IMAGE = re.compile(r"(?i)^cid:[^\s]{1,500}$")
DRAWN_IMAGE = re.compile(r"(?i)^data:image/(?:png|jpe?g|gif);base64,[A-Za-z0-9+/=\s]+$")
REMOTE_IMAGE = re.compile(r"(?i)^(?:https?:)?//")
DANGEROUS_STYLE = re.compile(r"(?i)url\s*\(|image|expression|script|\\")
META = re.compile(r"(?i)<meta\b[^<>]*>?")
TAG = re.compile(r"<(/?[a-zA-Z]+)")
_BY_THEMSELVES = """
p li td tr th dd dt tbody thead tfoot option area base br col embed hr img input link meta param wbr
"""
BY_THEMSELVES = frozenset(_BY_THEMSELVES.split())
STYLE_TAGS = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
BLOCKED = "cid:blocked-remote-image:"
"""Stands before a remote image's address between the sanitiser, which cannot rename an attribute, and `sanitise`."""


def sanitise(html: str) -> tuple[str | None, str | None]:
    """Return HTML that can do no harm, and a sentence on what was wrong, or None.

    The HTML is None where it lies too deep to be shown; its text is shown instead. It is cut at
    `limits.MAX_HTML` characters. Linear time.
    """
    defect = None
    if len(html) > MAX_HTML:
        html, defect = html[:MAX_HTML], f"The HTML is longer than {MAX_HTML} characters; the rest is not shown."
    if is_too_deep(html):
        return None, f"The HTML lies more than {MAX_HTML_DEPTH} levels deep; its text is shown instead."
    safe = _cleaned(html)
    if safe is None:
        safe = _cleaned(META.sub("", html))
    if safe is None:
        return None, "The HTML is too broken to be shown; its text is shown instead."
    return safe.replace(f' src="{BLOCKED}', ' data-remote-src="'), defect


def _cleaned(html: str) -> str | None:
    """Run the sanitiser; None where it gives up.

    It panics on `<meta … content="charset">`. A panic of native code is no `Exception`, and is known by its name.
    """
    try:
        return CLEANER.clean(html)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def from_text(text: str) -> str:
    """Return plain text as HTML that shows it line by line."""
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def is_too_deep(html: str) -> bool:
    """Say whether elements lie so deep that a sanitiser would need more than linear time. Takes linear time itself.

    Elements that HTML closes by itself (p, li, td) do not count. Elements of style count by themselves too: a parser
    opens those that were not closed anew in every paragraph.
    """
    if html.count("<") <= MAX_STYLE_DEPTH:
        return False
    depth = styles = 0
    for tag in TAG.findall(html):
        inner, style = STEPS.get(tag) or _step(tag)
        if inner:
            depth += inner
            styles += style
            if depth > MAX_HTML_DEPTH or styles > MAX_STYLE_DEPTH:
                return True
            if depth < 0:
                depth = 0
            if styles < 0:
                styles = 0
    return False


def _step(tag: str) -> tuple[int, int]:
    """Return how a tag ("div", "/B") changes the depth of all elements, and of those of style."""
    name = tag.lower().lstrip("/")
    step = -1 if tag.startswith("/") else 1
    return (0, 0) if name in BY_THEMSELVES else (step, step if name in STYLE_TAGS else 0)


def _attribute(_tag: str, name: str, value: str) -> str | None:
    """Decide on one attribute's value; None takes the attribute away."""
    if name == "style":
        return _style(value)
    if name == "href":
        return _link(value)
    if name == "src":
        return _image(value)
    return value


def _style(value: str) -> str | None:
    """Take the declarations away that could load or run something; which properties may stay is in `STYLES`."""
    if "(" not in value and "\\" not in value and "script" not in value:
        return value
    return ";".join(piece for piece in value.split(";") if not DANGEROUS_STYLE.search(piece)) or None


def _link(value: str) -> str | None:
    plain = "".join(value.split())
    if WITHOUT_SCHEME.match(plain):
        return "https://" + plain.lstrip("/")
    return value.strip() if LINK_SCHEMES.match(plain) else None


def _image(value: str) -> str | None:
    plain = value.strip()
    if OWN_IMAGE.match(plain) or DRAWN_IMAGE.match(plain):
        return None if plain.lower().startswith(BLOCKED) else plain
    if REMOTE_IMAGE.match(plain):
        return BLOCKED + ("https:" + plain if plain.startswith("//") else plain)
    return None


CLEANER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags=WITHOUT_CONTENT,
    attributes=ATTRIBUTES,
    attribute_filter=_attribute,
    set_tag_attribute_values={"a": {"target": "_blank"}, "area": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes=SCHEMES,
    filter_style_properties=STYLES,
    strip_comments=True,
)

STEPS = {
    tag: _step(tag) for name in (*TAGS, *BY_THEMSELVES) for tag in (name, f"/{name}", name.upper(), f"/{name.upper()}")
}
