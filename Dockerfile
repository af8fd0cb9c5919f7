# The image of the desk. It runs everything on SQLite by default; docker-compose.yml runs its parts on PostgreSQL.

FROM python:3.13-slim-trixie AS build

WORKDIR /build
RUN python -m venv /opt/letterdesk
ENV PATH=/opt/letterdesk/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock .
RUN pip install --require-hashes --requirement requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim-trixie

RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin letterdesk \
    && install --directory --owner=letterdesk --mode=0750 /data
COPY --from=build /opt/letterdesk /opt/letterdesk
ENV PATH=/opt/letterdesk/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LETTERDESK_DATABASE_URL=sqlite:////data/letterdesk.db \
    LETTERDESK_DATA_DIR=/data \
    LETTERDESK_SMTP_LISTEN=0.0.0.0:8025 \
    LETTERDESK_PORTAL_LISTEN=0.0.0.0:8000 \
    LETTERDESK_PORTAL_URL=http://127.0.0.1:8000
USER letterdesk
WORKDIR /data
VOLUME /data
EXPOSE 8000 8025
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:9000/healthz', timeout=4)"]
CMD ["letterdesk", "run"]
