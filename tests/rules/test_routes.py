"""The index of active rules agrees with a plain search, whatever is put in."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.rule import DEVICE_STATUS, MESSAGE_STATUS, Action, Route, Rule, RuleDraft
from bridge.rules.routes import Routes

PROJECTS = ("home", "work")
SUBJECTS = (MESSAGE_STATUS, DEVICE_STATUS)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, Route | None]:
    key = draw(st.integers(0, 4))
    rule_id = f"r{key}"
    if draw(st.booleans()):
        return rule_id, None
    project = draw(st.sampled_from(PROJECTS))
    rule = Rule(key, project, rule_id, RuleDraft(draw(st.sampled_from(SUBJECTS))), draw(st.booleans()))
    action = Action(1, project, "a", rule_id, None, "http://sink.example", ())
    return rule_id, Route(rule, (action,) * draw(st.integers(0, 2)))


@given(st.lists(changes(), max_size=20))
def test_against_a_plain_search(steps: list[tuple[str, Route | None]]) -> None:
    routes, known = Routes(), dict[str, Route]()
    for rule_id, route in steps:
        assert routes.put(rule_id, route) == known.pop(rule_id, None)
        if route is not None:
            known[rule_id] = route
        assert sorted(each.rule.rule_id for each in routes) == sorted(known)
        for project in PROJECTS:
            for subject in SUBJECTS:
                expected = [
                    route
                    for _, route in sorted(known.items())
                    if route.rule.active
                    and route.actions
                    and (route.rule.project, route.rule.draft.subject) == (project, subject)
                ]
                assert list(routes.matching((project, *subject))) == expected
    for rule_id in list(known):
        routes.put(rule_id, None)
    assert routes._active == {}
