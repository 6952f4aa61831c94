"""`key …`: what is created signs requests, what is revoked does not."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.database import opened
from bridge.model.principal import APPLICATION_SCOPES
from tests.cli.conftest import Call

ALL_BUT_ADMIN = ",".join(sorted(APPLICATION_SCOPES))
Ok = Callable[..., str]
pytestmark = pytest.mark.usefixtures("database")


def test_create_prints_only_the_key(ok: Ok, data_dir: Path) -> None:
    printed = ok("key", "create", "shop")
    assert re.fullmatch("[A-Z0-9]{20} [A-Za-z0-9_-]{40}\n", printed)
    ak, sk = printed.split()
    with opened(data_dir) as admin:
        key = admin.access_key(ak)
    assert key is not None
    assert (key.sk, key.name, key.project) == (sk, "shop", "default")
    assert key.scopes == set(APPLICATION_SCOPES)


def test_every_project_and_chosen_scopes(ok: Ok, data_dir: Path) -> None:
    ak, _ = ok("key", "create", "ops", "--project", "*", "--scopes", "admin, devices:read").split()
    with opened(data_dir) as admin:
        key = admin.access_key(ak)
    assert key is not None
    assert (key.project, set(key.scopes)) == (None, {"admin", "devices:read"})


def test_list_and_revoke(ok: Ok, data_dir: Path) -> None:
    shop, sk = ok("key", "create", "shop").split()
    ops, _ = ok("key", "create", "ops", "--project", "*").split()
    listed = ok("key", "list")
    assert sk not in listed
    assert [line.split()[:4] for line in listed.splitlines()] == [
        ["AK", "NAME", "PROJECT", "SCOPES"],
        [ops, "ops", "*", ALL_BUT_ADMIN],
        [shop, "shop", "default", ALL_BUT_ADMIN],
    ]
    ok("key", "revoke", "shop")
    (left,) = json.loads(ok("key", "list", "--json"))
    assert left.pop("created_at").endswith("Z")
    assert left == {"ak": ops, "name": "ops", "project": "*", "scopes": ALL_BUT_ADMIN.split(",")}
    with opened(data_dir) as admin:
        assert admin.access_key(shop) is None


@pytest.mark.parametrize(
    "args", [("a b",), ("",), ("shop", "--project", "**"), ("shop", "--scopes", ""), ("shop", "--scopes", "everything")]
)
def test_what_is_not_well_formed_is_a_usage_error(call: Call, args: tuple[str, ...]) -> None:
    assert call("key", "create", *args).exit_code == 2


def test_a_name_is_given_once_and_revoked_once(call: Call, ok: Ok) -> None:
    ok("key", "create", "shop")
    assert call("key", "create", "shop").stderr == "Error: there is an access key shop\n"
    ok("token", "create", "shop")
    ok("key", "revoke", "shop")
    result = call("key", "revoke", "shop")
    assert (result.exit_code, result.stderr) == (1, "Error: there is no access key shop\n")
