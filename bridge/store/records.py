"""All that is known of a device, for those who manage devices."""

from typing import Any

from bridge.model.record import Found, Record, Search
from bridge.store import statements
from bridge.store.administration import Administration
from bridge.store.rows import Row, read_record

NEWEST = (1 << 63) - 1
BEHIND = "device.gateway_id = ?"
BEHIND_CASCADE = """
    (device.gateway_id = ? OR device.gateway_id IN (
        SELECT next.device_id FROM device AS next WHERE next.project = device.project AND next.gateway_id = ?
    ))
"""


class Records(Administration):
    """All methods may raise StoreUnavailable."""

    def record(self, project: str, device_id: str) -> Record | None:
        found = self._query_records(statements.RECORD, (project, device_id))
        return found[0] if found else None

    def records(self, project: str, after: int = 0, limit: int = 1000) -> list[Record]:
        """By key, those with `Device.key` > `after`."""
        return self._query_records(statements.RECORDS, (project, after, limit))

    def find(self, project: str, search: Search) -> Found:
        """Reads every device of the project that the indexes on project and gateway cannot rule out."""
        where, values = _conditions(project, search)
        before = NEWEST if search.before is None else min(search.before, NEWEST)
        [[count]] = self._query(f"SELECT count(*) FROM device WHERE {where}", values)  # noqa: S608 - see _conditions
        page = f"{where} AND device.key < ? ORDER BY device.key DESC LIMIT ? OFFSET ?"
        records = self._query_records(statements.records(page), (*values, before, search.limit, search.offset))
        return Found(records, count)

    def _query_records(self, statement: str, parameters: Row) -> list[Record]:
        return [read_record(row) for row in self._query(statement, parameters)]


def _conditions(project: str, search: Search) -> tuple[str, Row]:
    """What stands in the text is ours; what was asked for is a parameter."""
    asked: list[tuple[str, Any]] = [
        ("device.product_id = ?", search.product_id),
        ("device.node_id = ?", search.node_id),
        ("device.name = ?", search.name),
        ("device.app_id = ?", search.app_id),
        (BEHIND_CASCADE if search.cascade else BEHIND, search.gateway_id),
        ("device.created_at >= ?", search.since),
        ("device.created_at <= ?", search.until),
    ]
    conditions, values = ["device.project = ?"], [project]
    for condition, value in asked:
        if value is not None:
            conditions.append(condition)
            values += [value] * condition.count("?")
    return " AND ".join(conditions), tuple(values)
