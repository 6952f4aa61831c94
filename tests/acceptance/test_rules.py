"""What an application has said should be pushed is still known after any end of the daemon."""

import json
from typing import Any

from tests.acceptance.conftest import NewDaemon
from tests.acceptance.daemon import Daemon

RULES = "/v5/iot/default/routing-rule/rules"
ACTIONS = "/v5/iot/default/routing-rule/actions"


def ask(daemon: Daemon, method: str, path: str, body: Any = None) -> Any:
    with daemon.api() as api:
        answer = api.call(method, path, None if body is None else json.dumps(body).encode())
    assert answer.status in {200, 201, 204}, answer.body
    return answer.body


def add(daemon: Daemon, name: str, **forwarding: Any) -> tuple[str, Any]:
    """The id of an active rule, and the answer to the creation of its action."""
    subject = {"resource": "device.status", "event": "update"}
    rule_id = ask(daemon, "POST", RULES, {"rule_name": name, "subject": subject})["rule_id"]
    detail = {"http_forwarding": {"url": f"http://127.0.0.1:9/{name}", **forwarding}}
    action = {"rule_id": rule_id, "channel": "HTTP_FORWARDING", "channel_detail": detail}
    made = ask(daemon, "POST", ACTIONS, action)
    ask(daemon, "PUT", f"{RULES}/{rule_id}", {"active": True})
    return rule_id, made


def test_rules_survive_every_end_of_the_daemon(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    kept: list[str] = []
    for number, end in enumerate((daemon.stop, daemon.kill)):
        gone, _ = add(daemon, f"gone-{number}")
        rule_id, made = add(daemon, f"kept-{number}")
        kept.insert(0, rule_id)
        secret = made["channel_detail"]["http_forwarding"]["signing_secret"]
        path = f"{ACTIONS}/{made['action_id']}"
        ask(daemon, "PUT", path, {"channel_detail": {"http_forwarding": {"rotate_secret": True}}})
        ask(daemon, "DELETE", f"{RULES}/{gone}")
        before = ask(daemon, "GET", RULES), ask(daemon, "GET", ACTIONS)
        end()
        daemon.start()
        assert (ask(daemon, "GET", RULES), ask(daemon, "GET", ACTIONS)) == before
        rules, actions = before
        assert [(rule["rule_id"], rule["active"]) for rule in rules["rules"]] == [(each, True) for each in kept]
        assert [action["rule_id"] for action in actions["actions"]] == kept
        with daemon.admin() as admin:
            action = admin.action("default", made["action_id"])
        assert action is not None
        assert (len(action.secrets), action.secrets[1]) == (2, secret)


def test_secrets_stay_out_of_the_log(new_daemon: NewDaemon) -> None:
    daemon = new_daemon({"log.level": "debug"})
    _, made = add(daemon, "hook")
    given = "whsec_" + "A" * 32
    add(daemon, "hook", signing_secret=given)
    secret = made["channel_detail"]["http_forwarding"]["signing_secret"]
    daemon.stop()
    assert secret not in daemon.log
    assert given not in daemon.log
