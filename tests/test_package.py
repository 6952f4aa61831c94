"""What pip installs: built as a release is, and used from an environment of its own."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

from bridge import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SOURCES = ("CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "pyproject.toml")
FOLDERS = ("bridge", "broker_config", "scripts", "systemd")
SHARED = {
    "share/device-bridge/device-bridge.toml": "broker_config/device-bridge.toml",
    "share/device-bridge/lan.toml": "broker_config/lan.toml",
    "share/device-bridge/plugins.toml": "broker_config/plugins.toml",
    "share/device-bridge/constraints.txt": "scripts/constraints.txt",
    "share/device-bridge/device-bridge.service": "systemd/device-bridge.service",
    "share/doc/device-bridge/CHANGELOG.md": "CHANGELOG.md",
    "share/doc/device-bridge/README.md": "README.md",
    "share/doc/device-bridge/SECURITY.md": "SECURITY.md",
    "share/doc/device-bridge/systemd/README.md": "systemd/README.md",
}
"""Where a file is below the prefix, and in the source."""


def build(kind: str, source: Path, target: Path) -> Path:
    """What pip does with a source: calls the build backend in its folder."""
    program = f"import sys, setuptools.build_meta as backend; backend.build_{kind}(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, str(target)], cwd=source, check=True, capture_output=True)
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "benchmarks")
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return build("sdist", folder, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what the source distribution holds, and nothing else."""
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["tar", "-xf", sdist, "-C", folder], check=True)
    return build("wheel", folder / f"device_bridge-{__version__}", tmp_path_factory.mktemp("wheel"))


Call = Callable[..., str]


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment into which the wheel was installed, without a network."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    return folder


@pytest.fixture(scope="module")
def call(prefix: Path) -> Call:
    """Its command, which finds the libraries of this environment, but not this checkout."""
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}

    def run(*words: str) -> str:
        command = [str(prefix / "bin" / "device-bridge"), *words]
        done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_wheel_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = message_from_bytes(archive.read(f"device_bridge-{__version__}.dist-info/METADATA"))
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bridge").rglob("*.py")}
    assert {*modules, "bridge/py.typed"} == {name for name in names if name.startswith("bridge/")}
    assert {f"device_bridge-{__version__}.data/data/{name}" for name in SHARED} <= names
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    required = [name for name in metadata.get_all("Requires-Dist") or () if "extra ==" not in name]
    assert len(required) == len(declared)


def test_files_for_administrators_are_below_the_prefix(prefix: Path) -> None:
    for installed, source in SHARED.items():
        assert (prefix / installed).read_bytes() == (ROOT / source).read_bytes()


@pytest.mark.parametrize("name", ["device-bridge", "lan", "plugins"])
def test_the_command_prints_the_examples(call: Call, name: str, tmp_path: Path) -> None:
    text = call("config", "example", name)
    assert text == (ROOT / "broker_config" / f"{name}.toml").read_text(encoding="utf-8")
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    assert call("config", "check", str(tmp_path / "x.toml")) == f"{tmp_path / 'x.toml'} is fine.\n"


def test_the_command_prints_the_unit_and_the_constraints(call: Call, prefix: Path) -> None:
    unit = call("config", "unit")
    assert f"\nExecStart={prefix}/bin/device-bridge run --data-dir /var/lib/device-bridge " in unit
    assert f"\nDocumentation=file://{prefix}/share/doc/device-bridge/README.md\n" in unit
    assert "/opt/device-bridge" not in unit
    assert call("config", "constraints") == (ROOT / "scripts" / "constraints.txt").read_text(encoding="utf-8")
    assert call("--version") == f"device-bridge, version {__version__}\n"
