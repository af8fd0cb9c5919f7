"""Serves the portal over HTTP: gunicorn, with threads, in as many processes as wanted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from portal.app import create_app
from shared.children import when_parent_ends
from shared.database import Database
from shared.listening import demand_portal_port
from shared.logs import start_logging
from shared.opening import open_desk
from shared.ops import open_ops

THREADS = 8
GRACE_SECONDS = 15


def serve(
    *, workers: int, with_parent: bool, extract: Callable[[bytes, str], bytes], read: Callable[[bytes], str]
) -> None:
    """Serve the configured desk until SIGTERM or SIGINT, or until the parent ends. For the rest see `create_app`.

    Raises ConfigError where the port cannot be had, before anything is started.
    """
    start_logging()
    with open_desk() as desk:
        settings = desk.settings
        demand_portal_port(settings)
        ops = None if with_parent else open_ops(settings, desk.database)
    if with_parent:
        when_parent_ends(lambda: signal.raise_signal(signal.SIGTERM))

    def make_app() -> Flask:
        if ops is not None:
            ops.stop()  # in this worker: it would keep the port when the process that answers there is killed
        return create_app(settings, Database(settings.database_url), extract=extract, read=read)

    try:
        PortalServer(make_app, settings.portal_listen, workers).run()
    finally:
        if ops is not None:
            ops.stop()


class PortalServer(BaseApplication):
    """Runs until SIGTERM or SIGINT. `make_app` is called in each worker, after it has been forked."""

    def __init__(self, make_app: Callable[[], Flask], listen: str, workers: int) -> None:
        self._make_app = make_app
        self._options: dict[str, Any] = {
            "bind": listen,
            "workers": workers,
            "worker_class": "gthread",
            "threads": THREADS,
            "graceful_timeout": GRACE_SECONDS,
            "loglevel": "warning",
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: PTH112, S108 - no slow disk
            "proc_name": "letterdesk-portal",
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()
