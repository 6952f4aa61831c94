"""All rules in memory, and the active ones by what they are about."""

from collections.abc import Iterator

from bridge.model.rule import Route

Kind = tuple[str, str, str]
"""Project, resource, event."""


class Routes:
    """Looking up costs the same for one rule or a million."""

    def __init__(self) -> None:
        self._known: dict[str, Route] = {}
        self._active: dict[Kind, tuple[Route, ...]] = {}

    def __iter__(self) -> Iterator[Route]:
        """Active or not, in no order that matters."""
        return iter(list(self._known.values()))

    def matching(self, kind: Kind) -> tuple[Route, ...]:
        """Those that are active and lead somewhere, oldest first."""
        return self._active.get(kind, ())

    def put(self, rule_id: str, route: Route | None) -> Route | None:
        """What is known of a rule from now on, None: nothing. Returns what was known before."""
        before = self._known.pop(rule_id, None)
        if before is not None:
            self._take_out(before)
        if route is not None:
            self._known[rule_id] = route
            if route.rule.active and route.actions:
                self._sort_in(route)
        return before

    def _take_out(self, route: Route) -> None:
        kind = _kind(route)
        others = tuple(other for other in self._active.pop(kind, ()) if other is not route)
        if others:
            self._active[kind] = others

    def _sort_in(self, route: Route) -> None:
        kind = _kind(route)
        self._active[kind] = tuple(sorted((*self.matching(kind), route), key=_age))


def _kind(route: Route) -> Kind:
    rule = route.rule
    return rule.project, *rule.draft.subject


def _age(route: Route) -> int:
    return route.rule.key
