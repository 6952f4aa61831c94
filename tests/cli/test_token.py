"""`token …`: what is created opens the API, what is revoked does not."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.database import opened
from bridge.model.principal import APPLICATION_SCOPES, SCOPES, Principal
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


def test_rotate_replaces_the_text_alone(ok: Ok, data_dir: Path) -> None:
    old = ok("token", "create", "shop", "--scopes", "messages:read", "--project", "plant").strip()
    new = ok("token", "rotate", "shop").removesuffix("\n")
    assert len(new) == len(old) == 43
    with opened(data_dir) as admin:
        assert admin.principal(old) is None
        assert admin.principal(new) == Principal("shop", "plant", frozenset(("messages:read",)))
        assert len(admin.tokens()) == 1
    assert not (data_dir / "admin.token").exists()


def test_rotate_one_of_several(call: Call, ok: Ok, data_dir: Path) -> None:
    kept, old = (ok("token", "create", "shop", "--project", project).strip() for project in ("plant", "*"))
    result = call("token", "rotate", "shop")
    assert result.exit_code == 1
    assert result.stderr == "Error: several projects have a token shop: give --project, one of *, plant\n"
    new = ok("token", "rotate", "shop", "--project", "*").strip()
    with opened(data_dir) as admin:
        assert [admin.principal(text) is not None for text in (kept, old, new)] == [True, False, True]
    missing = call("token", "rotate", "shop", "--project", "default")
    assert missing.stderr == "Error: there is no token shop in project default\n"
    assert call("token", "rotate", "ghost").stderr == "Error: there is no token ghost\n"


def test_the_text_of_the_admin_is_kept_and_goes_with_its_token(call: Call, ok: Ok, data_dir: Path) -> None:
    file = data_dir / "admin.token"
    created = ok("token", "create", "admin", "--project", "*", "--scopes", "admin")
    assert file.read_text(encoding="ascii") == created
    file.unlink()
    rotated = ok("token", "rotate", "admin")
    assert file.read_text(encoding="ascii") == rotated != created
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ok("token", "create", "shop")
    ok("token", "revoke", "shop")
    assert file.exists()
    ok("token", "revoke", "admin")
    assert not file.exists()
    assert call("token", "rotate", "admin").stderr == "Error: there is no token admin\n"


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
