"""Asks other servers over HTTP: one POST, limited in time and size, without following anybody elsewhere."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

CONNECT_SECONDS = 10.0  # for each wait on the network
WHOLE_SECONDS = 30.0
ANSWER_BYTES = 64 * 1024
SCHEMES = ("http", "https")


class WebError(Exception):
    """No answer was to be had. The message is the end of a sentence: "could not be reached (…)"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered, whatever its status."""

    status: int
    content: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What is posted is secret or is an order: it goes where the settings say, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def post(url: str, content: bytes, headers: Mapping[str, str], *, seconds: float = CONNECT_SECONDS) -> Answer:
    """Post to a server and return what it says. `seconds` limits each wait. Raises WebError."""
    if url.partition(":")[0].lower() not in SCHEMES:
        raise WebError("has no address of the web")
    try:
        request = urllib.request.Request(url, content, dict(headers), method="POST")  # noqa: S310 - checked above
        with _opened(request, seconds) as answer:
            return Answer(status=answer.status or 0, content=_read(answer))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WebError(_why(error)) from error


def _opened(request: urllib.request.Request, seconds: float) -> http.client.HTTPResponse | urllib.error.HTTPError:
    """The answer, whatever its status; its body is still to be read."""
    try:
        answer: http.client.HTTPResponse = urllib.request.build_opener(_NoRedirects).open(request, timeout=seconds)
    except urllib.error.HTTPError as refusal:
        return refusal
    return answer


def _read(answer: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    """The body, up to a limit, from a server that may hand it out byte by byte."""
    end, content = time.monotonic() + WHOLE_SECONDS, b""
    while len(content) < ANSWER_BYTES and time.monotonic() < end:
        part = answer.read1(ANSWER_BYTES - len(content))
        if not part:
            return content
        content += part
    raise WebError("did not come to an end with its answer")


def _why(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    match cause:
        case TimeoutError():
            return "did not answer in time"
        case ConnectionRefusedError():
            return "could not be reached: nothing listens there"
        case ssl.SSLCertVerificationError():
            return f"could not be reached: its certificate is not trusted ({cause.verify_message})"
        case OSError():
            return f"could not be reached ({cause.strerror or type(cause).__name__})"
    return f"could not be understood ({type(cause).__name__})"
