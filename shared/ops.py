"""For those who run the desk: `/healthz` and `/metrics` of every kind of process (Prometheus text format)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from shared.config import ConfigError, Settings, host_and_port
from shared.database import Database
from shared.status import collect

logger = logging.getLogger(__name__)

Health = Callable[[], str | None]


def open_ops(settings: Settings, database: Database, health: Health = lambda: None) -> OpsServer | None:
    """Answer about health. That the usual port is taken stops nothing; a port that was asked for does."""
    if not settings.ops_listen:
        return None
    try:
        return OpsServer(host_and_port(settings.ops_listen), database, health)
    except ConfigError as error:
        if "ops_listen" in settings.model_fields_set:
            raise
        logger.warning("%s Health and metrics are not served.", error)
        return None


class OpsServer:
    """Answers on `listen` (host, port) until stopped. `health` says why this process cannot serve, or None."""

    def __init__(self, listen: tuple[str, int], database: Database, health: Health = lambda: None) -> None:
        registry = CollectorRegistry()
        registry.register(DeskCollector(database))
        self._server = _listen(listen, _handler(registry, lambda: _reason(database) or health()))
        self._thread = threading.Thread(target=self._server.serve_forever, name="ops", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def stop(self) -> None:
        """Answer no more. A process that was forked off only lets go of the port: nobody answers in it."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class DeskCollector:
    """Turns the counts of the desk into metrics whenever somebody asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        with self._database.reading() as session:
            counts = collect(session, datetime.now(UTC))
        for name, what in (("inbound", "state"), ("tickets", "status"), ("deliveries", "state")):
            family = GaugeMetricFamily(f"letterdesk_{name}", f"How many {name} there are", labels=[what])
            for word, number in counts[name].items():
                family.add_metric([word], number)
            yield family
        for name in ("articles", "users"):
            yield GaugeMetricFamily(f"letterdesk_{name}", f"How many {name} there are", value=counts[name])
        for name in ("oldest_unprocessed_seconds", "oldest_undelivered_seconds"):
            yield GaugeMetricFamily(f"letterdesk_{name}", "Age of the oldest that waits", value=counts[name] or 0)
        lag = GaugeMetricFamily("letterdesk_mailbox_lag_seconds", "Since the last good poll", labels=["mailbox"])
        for mailbox in counts["mailboxes"]:
            if mailbox["lag_seconds"] is not None:
                lag.add_metric([mailbox["address"]], mailbox["lag_seconds"])
        yield lag
        yield GaugeMetricFamily("letterdesk_alerts", "How many things are wrong now", value=len(counts["alerts"]))


def _reason(database: Database) -> str | None:
    try:
        with database.reading() as session:
            session.connection().exec_driver_sql("SELECT 1")
    except SQLAlchemyError as error:
        return f"the database cannot be reached ({type(error).__name__})"
    return None


def _listen(listen: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer(listen, handler)
    except OSError as error:
        where = f"{listen[0]}:{listen[1]}"
        raise ConfigError(f"LETTERDESK_OPS_LISTEN is wrong: {where} cannot be used ({error.strerror}).") from None


def _handler(registry: CollectorRegistry, health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                reason = health()
                self._answer(503 if reason else 200, f"{reason or 'ok'}\n".encode(), "text/plain; charset=utf-8")
            elif self.path == "/metrics":
                try:
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                except SQLAlchemyError:
                    self._answer(503, b"the database cannot be reached\n", "text/plain; charset=utf-8")
            else:
                self._answer(404, b"there are /healthz and /metrics\n", "text/plain; charset=utf-8")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Leave the log to what matters."""

    return Handler
