"""What stands beside the code says what the code has: settings, commands, files, and nothing of where it was made."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import letterdesk
from shared.config import Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {f"LETTERDESK_{name.upper()}" for name in Settings.model_fields}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DESK = {name: service for name, service in SERVICES.items() if service.get("image") == "letterdesk"}
GUIDES = ("README.md", "docs/configuration.md", ".env.example", "docker-compose.yml", "Dockerfile")
INDEX_HOSTS = re.compile(
    rb"https?://[\w.-]*(pypi|pythonhosted|npmjs|yarnpkg|registry)[\w.-]*|--index-url|\"resolved\":\s*\"http"
)
COMMAND = re.compile(
    r"^(?:\$ )?(?:.* \| )?(?:docker compose exec (?:-T )?\w+ )?(?:\.venv/bin/)?letterdesk ([a-z ]*)", re.MULTILINE
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def committed() -> list[Path]:
    """The files of the repository, without what is only on this machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def defaults() -> dict[str, str]:
    """The default of each setting as somebody would write it."""
    return {f"LETTERDESK_{name.upper()}": f"{field.default}" for name, field in Settings.model_fields.items()}


def blocks(name: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(r"^```\w*\n(.*?)^```", text(name), re.MULTILINE | re.DOTALL)


def commands() -> set[str]:
    """Every `letterdesk …` that a page, the image or the compose file tells people or machines to run."""
    found = {" ".join(service["command"][1:]) for service in DESK.values()}
    found |= {
        " ".join(re.findall(r'"(\w+)"', line)[1:])
        for line in re.findall(r"^CMD (.*)", text("Dockerfile"), re.MULTILINE)
    }
    pages = ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
    for page in pages:
        found |= {words.strip() for block in blocks(page) for words in COMMAND.findall(block)}
    return {" ".join(words.split()[:2]) for words in found if words}


@pytest.mark.parametrize("name", GUIDES)
def test_every_setting_that_a_guide_names_is_one_that_the_desk_reads(name: str) -> None:
    assert set(re.findall(r"LETTERDESK_[A-Z_]+", text(name))) <= SETTINGS


@pytest.mark.parametrize("name", ["docs/configuration.md", ".env.example", "docker-compose.yml"])
def test_every_setting_is_in(name: str) -> None:
    assert set(re.findall(r"LETTERDESK_[A-Z_]+", text(name))) >= SETTINGS


def test_the_example_settings_are_the_defaults() -> None:
    written = dict(re.findall(r"^#(LETTERDESK_[A-Z_]+)=(.*)$", text(".env.example"), re.MULTILINE))
    assert written == defaults()


def test_the_documented_defaults_are_the_defaults() -> None:
    rows = re.findall(
        r"^\| `(LETTERDESK_[A-Z_]+)` \| `([^`]+)`(?: \([^)]*\))? \|", text("docs/configuration.md"), re.MULTILINE
    )
    assert len(rows) >= 10
    assert {name: defaults()[name] for name, _ in rows} == dict(rows)


def test_every_command_that_is_told_exists() -> None:
    told = commands()
    assert {"run", "migrate", "intake", "portal", "user add", "mailbox add"} <= told
    for words in sorted(told):
        asked = CliRunner().invoke(letterdesk.command, [*words.split(), "--help"])
        assert asked.exit_code == 0, f"letterdesk {words}: {asked.output}"


def test_the_composed_desk_migrates_once_before_mail_and_portal_start() -> None:
    assert set(DESK) == {"migrate", "intake", "portal"}
    assert DESK["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    for name in ("intake", "portal"):
        assert DESK[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_composed_services_are_watched_and_keep_their_data() -> None:
    assert "HEALTHCHECK" in text("Dockerfile")
    assert "healthcheck" in SERVICES["database"]
    assert not any("healthcheck" in DESK[name] for name in ("intake", "portal"))
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert mounted == set(COMPOSE["volumes"])


def test_the_health_check_asks_where_health_is_told() -> None:
    _, port = Settings.model_fields["ops_listen"].default.split(":")
    assert f"127.0.0.1:{port}/healthz" in text("Dockerfile")
    assert DESK["intake"]["environment"]["LETTERDESK_OPS_LISTEN"].endswith(f":{port}")


@pytest.mark.parametrize(("service", "setting"), [("intake", "SMTP"), ("portal", "PORTAL")])
def test_a_published_port_is_one_that_is_listened_on(service: str, setting: str) -> None:
    listening = DESK[service]["environment"][f"LETTERDESK_{setting}_LISTEN"].rpartition(":")[2]
    (published,) = DESK[service]["ports"]
    assert published.rpartition(":")[2] == listening
    assert f"LETTERDESK_{setting}_LISTEN=0.0.0.0:{listening}" in text("Dockerfile")


def test_the_composed_settings_start_a_desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env is there
    given = {"POSTGRES_PASSWORD": "secret", "LETTERDESK_SECRET_KEY": "0123456789abcdef"}
    for name, value in DESK["portal"]["environment"].items():
        monkeypatch.setenv(name, filled(value, given))
    assert Settings().is_postgresql


def filled(value: str, given: dict[str, str]) -> str:
    """Fill `${NAME:-default}` and `${NAME:?complaint}` in as compose does."""
    return re.sub(
        r"\$\{(\w+):([-?])([^}]*)\}",
        lambda found: given.get(found[1]) or (found[3] if found[2] == "-" else pytest.fail(f"{found[1]} is not set")),
        value,
    )


def test_the_image_gets_every_file_that_its_recipe_needs() -> None:
    kept = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert {"intake", "portal", "shared", "letterdesk.py", "pyproject.toml", "requirements.lock"} <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_every_link_to_a_file_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for page in [ROOT / "README.md", ROOT / ".ci" / "run", *(ROOT / "docs").glob("*.md")]:
        named = re.findall(r"`make ([a-z][a-z-]*)|^make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert {first or second for first, second in named} <= targets, page.name


def test_every_module_that_the_architecture_names_exists() -> None:
    (tree,) = (block for block in blocks("docs/architecture.md") if "letterdesk.py" in block)
    package, folder, named = "", "", set()
    for line in tree.splitlines():
        if top := re.match(r"(\w+/)", line):
            package = folder = top[1]
        elif inner := re.match(r"  (?! )(\w+/)?", line):
            folder = package + (inner[1] or "") if line[2] != " " else folder
        named |= {folder + name for name in re.findall(r"(?<![*\w])\w+\.py", line)}
    assert len(named) > 30
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


def test_the_wheel_has_every_file_that_the_packages_need_to_run(tmp_path: Path) -> None:
    sources = [path.relative_to(ROOT) for path in committed()]
    for path in sources:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "--wheel-dir",
        "wheel",
        ".",
    ]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    needed = {
        path.as_posix()
        for path in sources
        if path.parts[0] in {"intake", "portal", "shared", "letterdesk.py"} and path.suffix != ".scss"
    }
    assert needed - packed == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_is_pinned_by_its_hash(name: str) -> None:
    for entry in re.split(r"\n(?=\S)", text(name).strip()):
        assert re.match(r"[a-z0-9.-]+==\S+", entry)
        assert "--hash=sha256:" in entry


def test_no_committed_file_names_a_package_index() -> None:
    named = [path for path in committed() if path != Path(__file__) and INDEX_HOSTS.search(path.read_bytes())]
    assert named == []


def test_the_continuous_run_is_what_people_run() -> None:
    assert "make --no-print-directory test" in text(".ci/run")
    assert len(text(".ci/run").splitlines()) < 10
