"""Serves the portal over HTTP: gunicorn, with threads, in as many processes as wanted."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

THREADS = 8
GRACE_SECONDS = 15


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
