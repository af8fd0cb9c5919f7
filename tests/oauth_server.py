"""An authorization server for the tests: it gives tokens (RFC 6749, 8628, 7636) and says which are good (RFC 7662)."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.web_server import Request, Response, as_json, running_web_server

CLIENT_ID = "letterdesk"
CLIENT_SECRET = "client-secret"
REFRESH_TOKEN = "refresh-0"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(kw_only=True)
class OAuthServer:
    """What it knows. Change it to let it behave otherwise; `instead` answers the next requests for tokens as they are.

    `meanwhile` is done while somebody waits for a token.

    `user` is whose mailbox the tokens open, `expires_in` how long they do by their own account, `rotates` whether a
    refresh token is good only once, `pending` how often a device is told to wait.
    """

    url: str = ""
    user: str = "support@desk.example"
    secret: str = CLIENT_SECRET
    expires_in: object = 3600
    refresh_expires_in: object = None
    rotates: bool = False
    refresh_tokens: set[str] = field(default_factory=lambda: {REFRESH_TOKEN})
    access_tokens: set[str] = field(default_factory=set)
    interval: int = 3
    pending: list[str] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    instead: list[Response] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    asked: list[dict[str, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def device_url(self) -> str:
        return f"{self.url}/device"

    @property
    def introspection_url(self) -> str:
        return f"{self.url}/introspect"

    def forget(self) -> None:
        """Be as in the beginning."""
        vars(self).update(vars(OAuthServer(url=self.url)))

    def give(self) -> str:
        """Another access token that is good."""
        token = f"access-{next(self.numbers)}"
        self.access_tokens.add(token)
        return token

    def revoke(self) -> None:
        """Take the permission back: no token of any kind is good any more."""
        self.refresh_tokens.clear()
        self.access_tokens.clear()

    def agree(self, challenge: str) -> str:
        """What a person does in the browser; returns the code that their browser carries back."""
        code = f"code-{next(self.numbers)}"
        self.codes[code] = challenge
        return code

    def answer(self, request: Request) -> Response:
        if request.path == "/introspect":
            return as_json({"active": request.form.get("token") in self.access_tokens, "username": self.user})
        if request.path == "/device":
            page = f"{self.url}/activate"
            return as_json(
                {"device_code": "device", "user_code": "WDJB-MJHT", "verification_uri": page, "interval": self.interval}
            )
        self.asked.append(request.form)
        self.meanwhile()
        return self.instead.pop(0) if self.instead else self._token(request.form)

    def _token(self, form: dict[str, str]) -> Response:
        if (form.get("client_id"), form.get("client_secret", "")) != (CLIENT_ID, self.secret):
            return as_json({"error": "invalid_client"}, 401)
        grants: dict[str, Callable[[dict[str, str]], str]] = {
            "refresh_token": lambda form: "" if form["refresh_token"] in self.refresh_tokens else "invalid_grant",
            "client_credentials": lambda _: "",
            "authorization_code": self._code_fault,
            DEVICE_GRANT: lambda _: self.pending.pop(0) if self.pending else "",
        }
        fault = grants[form["grant_type"]](form)
        return as_json({"error": fault}, 400) if fault else self._granted(form)

    def _code_fault(self, form: dict[str, str]) -> str:
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return "" if self.codes.pop(form["code"], None) == challenge else "invalid_grant"

    def _granted(self, form: dict[str, str]) -> Response:
        told = {"token_type": "Bearer", "access_token": self.give(), "expires_in": self.expires_in}
        old = form.get("refresh_token")
        if form["grant_type"] != "client_credentials" and (old is None or self.rotates):
            self.refresh_tokens.discard(old or "")
            told["refresh_token"] = f"refresh-{next(self.numbers)}"
            self.refresh_tokens.add(str(told["refresh_token"]))
        if self.refresh_expires_in is not None:
            told["refresh_token_expires_in"] = self.refresh_expires_in
        return as_json(told)


@contextmanager
def running_oauth_server() -> Iterator[OAuthServer]:
    """An authorization server on a free port, stopped at the end."""
    server = OAuthServer()
    with running_web_server(server.answer) as web:
        server.url = web.url
        yield server
