"""What is true of the project as a whole: its folders, its scripts, its unit, its documents."""

import ast
import configparser
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from bridge import __version__, config
from bridge.cli.main import cli
from bridge.cli.run import run
from bridge.descriptors import Descriptors
from bridge.model.clock import system_clock
from bridge.store import Admin

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "bridge",
    "broker_config",
    "pyproject.toml",
    "scripts",
    "systemd",
    "tests",
}
OWNERS = {
    "amqtt": "bridge.broker",
    "click": "bridge.cli",
    "httptools": "bridge.api",
    "markdown_it": "bridge.api",
    "jwt": "bridge.api",
    "httpx": "bridge.webhooks",
    "msgspec": "bridge.api",
    "paho": "bridge.broker",
    "sniffio": "bridge.webhooks",
    "sqlite3": "bridge.store",
    "sqlite_utils": "bridge.store",
    "starlette": "bridge.api",
    "uvicorn": "bridge.api",
    "uvloop": "bridge.daemon",
    "websockets": "bridge.broker",
}
"""The one package that imports each library; import-linter holds the same."""
UNIT = ROOT / "systemd" / "device-bridge.service"
SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser


def test_the_top_level_holds_nothing_else() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_the_newest_version_of_the_changelog_is_the_package() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", text, re.MULTILINE)
    assert versions[0] == __version__


def test_the_license_is_the_one_that_is_declared() -> None:
    assert project()["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_readme_shows_every_setting() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md is not there yet")
    text = readme.read_text(encoding="utf-8")
    for row in config.configuration_table().splitlines():
        assert row in text


def imported_libraries() -> set[tuple[str, str]]:
    """(owner, library): which part of the package imports which top-level module."""
    pairs = set()
    for path in (ROOT / "bridge").rglob("*.py"):
        owner = ".".join(path.relative_to(ROOT).with_suffix("").parts[:2])
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                pairs |= {(owner, alias.name.partition(".")[0]) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                pairs.add((owner, node.module.partition(".")[0]))
    return pairs


def test_every_library_is_imported_by_one_package() -> None:
    foreign = {
        (owner, library)
        for owner, library in imported_libraries()
        if library in OWNERS or (library not in sys.stdlib_module_names and library != "bridge")
    }
    assert {(owner, library) for owner, library in foreign if OWNERS.get(library) != owner} == set()


def test_every_dependency_has_an_owner_and_a_contract() -> None:
    names = {re.split(r"[\[=<>]", name)[0].replace("-", "_") for name in project()["project"]["dependencies"]}
    assert {
        name.removesuffix("_mqtt").removesuffix("_py").replace("pyjwt", "jwt") for name in names
    } == OWNERS.keys() - {"sqlite3"}
    contracts = project()["tool"]["importlinter"]["contracts"]
    assert {name for contract in contracts for name in contract.get("forbidden_modules", [])} == OWNERS.keys()


def test_constraints_pin_what_is_declared_and_nothing_of_one_machine() -> None:
    lines = (ROOT / "scripts" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    pinned = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    declared = project()["project"]["dependencies"] + project()["project"]["optional-dependencies"]["dev"]
    assert {re.split(r"[\[=<>]", name)[0] for name in declared} <= pinned


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_scripts_can_be_run(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    first, second = script.read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("#!/usr/bin/env ")
    assert second.startswith(("# ", '"""'))


def test_every_script_is_explained() -> None:
    text = (ROOT / "scripts" / "README.md").read_text(encoding="utf-8")
    assert {script.name for script in SCRIPTS} <= set(re.findall(r"^\| `([a-z]+)", text, re.MULTILINE))


@pytest.mark.parametrize("with_program", [True, False], ids=["sqlite3", "python"])
def test_the_documented_backup_is_whole_and_for_its_owner_alone(tmp_path: Path, with_program: bool) -> None:
    """Also with an ordinary umask, and when there is an older backup that anybody may read."""
    if with_program and shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed")
    blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "systemd" / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (recipe,) = (
        block
        for block in blocks
        if "backup" in block and ("exec sqlite3" in block) == with_program and "rm -f backup" in block
    )
    for written, here in {
        "runuser -u device-bridge -- ": "",
        "/var/lib/device-bridge": str(tmp_path),
        "/opt/device-bridge/.venv/bin/python": sys.executable,
    }.items():
        recipe = recipe.replace(written, here)
    backup = tmp_path / "backup.db"
    backup.touch(0o644)
    with Admin.open(tmp_path / "bridge.db", system_clock) as admin:
        admin.add_device("default", "lamp", "lamp-secret-1")
        subprocess.run(["bash", "-euc", f"umask 022\n{recipe}"], check=True)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with Admin.open(backup, system_clock) as admin:
        assert [device.device_id for device in admin.devices(None)] == ["lamp"]


def test_no_document_installs_a_file_with_secrets_for_everybody() -> None:
    text = (ROOT / "systemd" / "README.md").read_text(encoding="utf-8")
    open_files = re.findall(r"^install .*-m 0644 .*?([\w.-]+)(?: /\S+)$", text, re.MULTILINE)
    assert open_files == ["device-bridge.service", "field.pem"]


def test_the_unit_starts_a_command_that_exists() -> None:
    program, command, *options = shlex.split(unit()["Service"]["ExecStart"])
    assert program == "/opt/device-bridge/.venv/bin/device-bridge"
    assert cli.get_command(click.Context(cli), command) is run
    known = {name for parameter in run.params for name in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known
    assert options == [
        "--data-dir",
        "/var/lib/device-bridge",
        "--config",
        "/etc/device-bridge/device-bridge.toml",
    ]


def test_the_unit_agrees_with_the_settings() -> None:
    service = unit()["Service"]
    assert service["StateDirectory"] == "device-bridge"
    assert float(service["TimeoutStopSec"]) > config.SPECS["http.shutdown_wait"].default
    assert Descriptors(int(service["LimitNOFILE"])).for_connections > config.SPECS["mqtt.max_connections"].default
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(text.replace("/opt/device-bridge/.venv/bin/device-bridge", "/bin/true"), encoding="utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
