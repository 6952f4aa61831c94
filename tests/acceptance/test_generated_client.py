"""A client that openapi-python-client makes of /openapi.json works: it is a description that generators understand."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.account import Account

PACKAGE = "generated_bridge_client"
CONFIG = "content_type_overrides:\n  application/x-ndjson: application/octet-stream\n"
"""The generator knows no NDJSON."""


@pytest.fixture
def generated(pump: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of its package."""
    document = pump.api.call("GET", "/openapi.json").body
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json"),
        *("--output-path", PACKAGE, "--meta", "none", "--config", "config.yaml", "--fail-on-warning"),
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it formats with ruff
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        command, cwd=tmp_path, env={**untraced, "PATH": path}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return PACKAGE


def test_typed_calls(pump: Account, generated: str) -> None:
    def part(name: str) -> Any:
        return importlib.import_module(f"{generated}.{name}")

    models = part("models")
    with part("client").AuthenticatedClient(
        base_url="http://{}:{}".format(*pump.daemon.http),
        token=pump.daemon.token,
        auth_header_name="X-Auth-Token",
        prefix="",
        raise_on_unexpected_status=True,
    ) as client:
        named = {"project_id": "default", "client": client}
        pair = models.UserProperty(prop_key="color", prop_value=None)
        body = models.MessageBody(message="hello", properties=models.Properties(user_properties=[pair]))
        created = part("api.messages.create_message").sync(device_id=pump.id, body=body, **named)
        assert isinstance(created, models.Created), created
        assert created.result.status == models.Status.PENDING
        listed = part("api.messages.list_device_messages").sync(device_id=pump.id, limit=1, **named)
        assert [(each.message_id, each.message) for each in listed.messages] == [(created.message_id, "hello")]
        unknown = part("api.devices.show_device").sync(device_id="nobody", **named)
        assert unknown.error_code == "IOTDA.014000"
        notice = models.PostBody(id=pump.id, importance=models.PostBodyImportance("important"), text="It is hot.")
        posted = part("api.inbox.create_inbox_message").sync(body=notice, client=client)
        bounds = part("api.inbox.show_inbox_bounds").sync(id=pump.id, client=client)
        assert (bounds.count, bounds.min_.field_id, bounds.max_.body.text) == (1, posted.field_id, "It is hot.")
        assert part("api.inbox.clear_inbox").sync(client=client).success is True
