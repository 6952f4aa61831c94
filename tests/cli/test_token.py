"""`token …`: what is created opens the API, what is revoked does not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.database import opened
from bridge.model.principal import APPLICATION_SCOPES, SCOPES
from tests.cli.conftest import Call

Ok = Callable[..., str]
pytestmark = pytest.mark.usefixtures("database")


def test_create_prints_only_the_token(ok: Ok, data_dir: Path) -> None:
    token = ok("token", "create", "shop").removesuffix("\n")
    with opened(data_dir) as admin:
        principal = admin.principal(token)
    assert principal is not None
    assert (principal.name, principal.project) == ("shop", "default")
    assert principal.scopes == set(APPLICATION_SCOPES)


def test_every_project_and_chosen_scopes(ok: Ok, data_dir: Path) -> None:
    token = ok("token", "create", "ops", "--project", "*", "--scopes", "admin, devices:read").strip()
    with opened(data_dir) as admin:
        principal = admin.principal(token)
    assert principal is not None
    assert (principal.project, set(principal.scopes)) == (None, {"admin", "devices:read"})


def test_list_and_revoke(ok: Ok, data_dir: Path) -> None:
    token = ok("token", "create", "shop").strip()
    ok("token", "create", "ops", "--project", "*")
    listed = ok("token", "list")
    assert token not in listed
    assert [row.split()[:2] for row in listed.splitlines()] == [["NAME", "PROJECT"], ["ops", "*"], ["shop", "default"]]
    ok("token", "revoke", "shop")
    (left,) = json.loads(ok("token", "list", "--json"))
    assert left.pop("created_at").endswith("Z")
    assert left == {"name": "ops", "project": "*", "scopes": sorted(APPLICATION_SCOPES)}
    with opened(data_dir) as admin:
        assert admin.principal(token) is None


def test_an_unknown_scope_is_answered_with_those_that_exist(call: Call) -> None:
    result = call("token", "create", "shop", "--scopes", "messages:send,everything")
    assert result.exit_code == 2
    assert "'everything' is not a scope" in result.stderr
    assert ", ".join(SCOPES) in result.stderr


@pytest.mark.parametrize("args", [("a b",), ("",), ("a\n",), ("shop", "--project", "**"), ("shop", "--scopes", "")])
def test_what_is_not_well_formed_is_a_usage_error(call: Call, args: tuple[str, ...]) -> None:
    assert call("token", "create", *args).exit_code == 2


def test_a_name_is_given_once_and_revoked_once(call: Call, ok: Ok) -> None:
    ok("token", "create", "shop")
    assert call("token", "create", "shop").stderr == "Error: there is a token shop\n"
    ok("token", "revoke", "shop")
    result = call("token", "revoke", "shop")
    assert (result.exit_code, result.stderr) == (1, "Error: there is no token shop\n")
