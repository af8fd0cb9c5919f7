"""Look at everything that a desk stands on, and say what is wrong with it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from intake.outbound.dkim import dns_record, keys_for, load_keys
from intake.outbound.transport import TransportError, open_transport
from intake.receiving.front_door_checks import look_at_front_door
from intake.receiving.imap_connection import ImapFault
from intake.receiving.imap_ledger import read_account
from intake.receiving.imap_probe import probe
from intake.receiving.oauth import proof_of
from shared import accounts, mailboxes, schema
from shared.alerts import is_dated, open_alerts
from shared.config import ConfigError, Settings, host_and_port, unknown_settings
from shared.database import Database
from shared.listening import Holder, portal_holder, refusal, shown, why_not
from shared.mailbox_health import expiry_of, moment_of
from shared.opening import utc_now
from shared.tokens import Tokens

Finding = tuple[bool, str]  # whether it is well, and a sentence


def examine(settings: Settings, database: Database, tokens: Tokens) -> Iterator[Finding]:
    """Yield what was looked at, one after the other. The settings themselves have been read already."""
    yield True, f"The settings can be read; the desk's address is {settings.address}."
    yield from ((False, sentence) for sentence in unknown_settings())
    try:
        with database.engine.connect() as connection:
            revision = schema.revision(connection)
    except SQLAlchemyError as error:
        yield False, f"The database cannot be reached: {str(error.__cause__ or error).strip().splitlines()[0]}"
        return
    if revision is None:
        yield False, "The database is still empty; its tables are made by: letterdesk migrate"
        return
    if revision != schema.revisions()[-1]:
        yield False, "The database is not of this version; run: letterdesk migrate"
        return
    yield True, "The database answers and is of this version."
    yield from _people(database)
    yield from look_at_front_door(settings, database, utc_now())
    yield look_at_portal_port(host_and_port(settings.portal_listen))
    yield from _mailboxes(database, tokens)
    yield _outgoing(settings.outgoing_url, "LETTERDESK_OUTGOING is wrong", settings.sends_for_real)
    yield from _own_servers(database, tokens)
    yield from _signatures(settings)
    yield from _alerts(database)


def _people(database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        if not accounts.count_admins(session):
            yield False, "There is no administrator; make one: letterdesk user add EMAIL --role admin"


def look_at_portal_port(address: tuple[str, int]) -> Finding:
    """Whether the portal can listen there. That somebody does already is well where it is a portal, or may be one."""
    error = why_not(address)
    if error is None:
        return True, f"The portal can be served on {shown(address)}."
    holder = portal_holder(address) if error.errno == errno.EADDRINUSE else Holder.OTHER
    match holder:
        case Holder.DESK:
            return True, f"The portal is served on {shown(address)}: a desk answers there."
        case Holder.UNKNOWN:
            return True, f"{shown(address)} (portal) is in use, by this desk or by another program."
    return False, f"LETTERDESK_PORTAL_LISTEN: {refusal(address, error)}."


def _mailboxes(database: Database, tokens: Tokens) -> Iterator[Finding]:
    with database.reading() as session:
        polled = [(row.id, row.address) for row in mailboxes.list_mailboxes(session) if row.imap_url and row.is_active]
    for number, address in polled:
        try:
            with database.reading() as session:
                account = read_account(session, number, tokens)
            for well, sentence in probe(account, proof_of(account, database, tokens, utc_now)):
                yield well, f"{address}: {sentence}"
        except ImapFault as error:
            yield False, f"{address}: {error}"


def _outgoing(url: str, wrong: str, sends_for_real: bool) -> Finding:
    try:
        transport = open_transport(url)
    except TransportError as error:
        return False, f"{wrong}: {error}"
    fault = transport.check()
    transport.close()
    if fault is not None:
        return False, f"Mail cannot go out: {fault}"
    return True, "Mail can go out." if sends_for_real else "Outgoing mail is written to files."


def _own_servers(database: Database, tokens: Tokens) -> Iterator[Finding]:
    """Mailboxes whose mail goes out over a server of their own."""
    with database.reading() as session:
        own = [(row.address, row.outgoing_secret) for row in mailboxes.list_mailboxes(session) if row.outgoing_secret]
    for address, secret in own:
        url = tokens.decrypt(secret)
        if url is None:
            yield False, f"{address}: its outgoing server was stored under another secret key; set it again."
            continue
        well, sentence = _outgoing(url, "its outgoing server is wrong", sends_for_real=True)
        yield well, f"{address}: {sentence}"


def _signatures(settings: Settings) -> Iterator[Finding]:
    """Which mail is signed (DKIM), and what DNS has to hold for that."""
    try:
        keys = load_keys(settings.dkim_keys)
    except ConfigError as error:
        yield False, f"{error}."
        return
    for key in keys:
        name, value = dns_record(key)
        yield True, f"Mail from {key.domain} is signed ({key.algorithm}). DNS needs this TXT record: {name} {value}"
    domain = settings.address.rpartition("@")[2].lower()
    if keys and not keys_for(keys, settings.address):
        yield False, f"Mail from {domain} is not signed: LETTERDESK_DKIM_KEYS has no key for that domain."


def _alerts(database: Database) -> Iterator[Finding]:
    """Secrets of mailboxes that end soon, and what the running desk has found wrong."""
    now = utc_now()
    with database.reading() as session:
        rows, alerts = mailboxes.list_mailboxes(session), open_alerts(session, now)
    for row in rows:
        if row.is_active and (ends := expiry_of(row, now)):
            yield False, ends
    for alert in alerts:
        if not alert.key.startswith("expiry:"):
            since = "" if is_dated(alert.key) else f"Since {moment_of(alert.since)}: "
            yield False, f"{since}{alert.sentence}"
