"""The connection to the outgoing server: encryption, logins, reuse, odd addresses, dots."""

from __future__ import annotations

from pathlib import Path

import pytest

from intake.outbound.letter import Envelope
from intake.outbound.transport import Transport, TransportError, open_transport
from intake.types import Deferred, Outcome, Refused, Sent, Unreachable
from tests.mail_sink import DROP, mail_sink
from tests.outgoing import certificate

MAIL = Envelope(sender="", recipient="anna@example.org", content=b"Subject: Hi\r\n\r\nHello\r\n")


def send(url: str, envelope: Envelope = MAIL) -> Outcome:
    transport = open_transport(url)
    try:
        return transport.send(envelope, lambda: None)
    finally:
        transport.close()


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Deferred | Refused | Unreachable), outcome
    return outcome.reason


def test_encryption_is_used_where_the_server_offers_it(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with mail_sink(starttls=context) as sink:
        assert isinstance(send(f"smtp://127.0.0.1:{sink.port}"), Sent)
        assert isinstance(send(f"smtp://127.0.0.1:{sink.port}?starttls=no"), Sent)
    assert [mail.is_encrypted for mail in sink.mails] == [True, False]


def test_a_login_goes_only_over_an_encrypted_connection_that_is_checked(tmp_path: Path) -> None:
    context, public = certificate(tmp_path)
    with mail_sink(starttls=context, login=("jo@desk", "p:w")) as sink:
        url = f"smtp://jo%40desk:p%3Aw@127.0.0.1:{sink.port}"
        assert isinstance(send(f"{url}?ca={public}"), Sent)
        assert "certificate is not good" in reason(send(url))
    assert [(mail.user, mail.is_encrypted) for mail in sink.mails] == [("jo@desk", True)]
    with mail_sink(login=("jo@desk", "p:w")) as plain:
        url = f"smtp://jo%40desk:p%3Aw@127.0.0.1:{plain.port}"
        assert "offers no encryption" in reason(send(url))
        assert isinstance(send(f"{url}?starttls=no"), Sent)


def test_a_refused_login_is_not_the_fault_of_the_mail(tmp_path: Path) -> None:
    context, public = certificate(tmp_path)
    with mail_sink(starttls=context, login=("jo", "right")) as sink:
        outcome = send(f"smtp://jo:wrong@127.0.0.1:{sink.port}?ca={public}")
        missing = send(f"smtp://127.0.0.1:{sink.port}")
    assert isinstance(outcome, Unreachable)
    assert "refused the login: 535" in outcome.reason
    assert isinstance(missing, Deferred)
    assert "530" in missing.reason


def test_smtps_speaks_tls_from_the_first_byte(tmp_path: Path) -> None:
    context, public = certificate(tmp_path)
    with mail_sink(implicit_tls=context) as sink:
        assert isinstance(send(f"smtps://127.0.0.1:{sink.port}?ca={public}"), Sent)
    assert sink.mails[0].is_encrypted


def test_lines_that_begin_with_a_dot_arrive_as_they_are() -> None:
    content = b"Subject: Dots\r\n\r\n.\r\n..two\r\n.hidden\r\n" + b"." * 900 + b"\r\n.line\r\n" * 60_000
    with mail_sink() as sink:
        envelope = Envelope(
            sender="a@desk.example", recipient="b@example.org", content=content.replace(b"..." * 300, b"x\r\n.")
        )
        assert isinstance(send(f"smtp://127.0.0.1:{sink.port}", envelope), Sent)
    assert sink.mails[0].content == envelope.content


def test_an_address_outside_of_ascii_reaches_a_server_that_takes_it() -> None:
    envelope = Envelope(
        sender="", recipient="jürgen@example.org", content="To: jürgen@example.org\r\n\r\nHi\r\n".encode()
    )
    with mail_sink() as sink:
        assert isinstance(send(f"smtp://127.0.0.1:{sink.port}", envelope), Sent)
    assert sink.mails[0].recipients == ("jürgen@example.org",)


def test_a_connection_that_went_away_while_it_rested_is_made_again() -> None:
    with mail_sink() as sink:
        transport = open_transport(f"smtp://127.0.0.1:{sink.port}")
        assert isinstance(transport.send(MAIL, lambda: None), Sent)
        sink.answer("mail", DROP)
        assert isinstance(transport.send(MAIL, lambda: None), Sent)
        transport.close()
    assert (len(sink.mails), sink.connections) == (2, 2)


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_answer_belongs_to_its_command_whether_they_come_at_once_or_not(*, pipelining: bool) -> None:
    with mail_sink() as sink:
        sink.pipelining = pipelining
        transport = open_transport(f"smtp://127.0.0.1:{sink.port}")
        for moment, words in (
            ("mail", "452 4.3.1 no room"),
            ("rcpt", "550 5.1.1 nobody of that name"),
            ("data", "451 4.3.0 not now"),
            ("end", "554 5.7.1 not wanted"),
        ):
            sink.answer(moment, words)
            assert reason(transport.send(MAIL, lambda: None)) == f"The outgoing server said: {words}"
            assert isinstance(transport.send(MAIL, lambda: None), Sent)
        sink.answer("rcpt", "550 5.1.1 nobody of that name")
        sink.answer("data", "354 go on all the same")
        assert reason(transport.send(MAIL, lambda: None)) == "The outgoing server said: 550 5.1.1 nobody of that name"
        sink.forget_answers()
        assert isinstance(transport.send(MAIL, lambda: None), Sent)
        sink.answer("mail", "421 4.3.2 going down")
        assert reason(transport.send(MAIL, lambda: None)) == "The outgoing server said: 421 4.3.2 going down"
        assert isinstance(transport.send(MAIL, lambda: None), Sent)
        transport.close()
    assert len(sink.mails) == 6
    assert sink.connections == 2


def test_a_mail_whose_handing_over_could_not_be_noted_is_not_sent(tmp_path: Path) -> None:
    def fails() -> None:
        raise LookupError

    with mail_sink() as sink:
        for url in (f"smtp://127.0.0.1:{sink.port}", (tmp_path / "out").as_uri()):
            transport: Transport = open_transport(url)
            with pytest.raises(LookupError):
                transport.send(MAIL, fails)
            transport.close()
    assert sink.mails == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_written_means_later(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands in the way")
    assert reason(send((tmp_path / "out").as_uri())).startswith("The mail could not be written to its folder: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://", "is not smtp://HOST"),
        ("http://mail.example", "is not smtp://HOST"),
        ("smtp://mail.example:99999", "port"),
        ("smtp://mail.example?tls=no", "no option “tls”"),
        ("smtp://mail.example?starttls=maybe", "yes or no"),
    ],
)
def test_a_wrong_url_is_said_in_a_sentence(url: str, said: str) -> None:
    with pytest.raises(TransportError, match=said):
        open_transport(url)
