"""The query strings and paths of the batch task operations. Pure; the only exceptions that leave are `Refusal` and
UnknownTask."""

import re
from enum import StrEnum
from typing import TypeVar

from bridge.api.iotda.batch_parse import CREATE_MESSAGES
from bridge.api.iotda.device_parse import ID, SHORT_ID, checked
from bridge.api.iotda.errors import bad_parameter
from bridge.api.iotda.paging import PAGING, parse_paging
from bridge.api.iotda.query import check_encoding, parameters
from bridge.api.operation import Parameter
from bridge.api.schema import text
from bridge.model.batch import TargetSearch, TargetStatus, TaskSearch, TaskStatus
from bridge.model.errors import UnknownTask

S = TypeVar("S", bound=StrEnum)

TASK_ID = re.compile(r"0{8}[0-7][0-9a-f]{15}")
"""What 63 bits can be: the rest of the 24 digits is never used."""
_OTHER_TYPES = (
    "softwareUpgrade",
    "firmwareUpgrade",
    "moduleUpgrade",
    "createDevices",
    "updateDevices",
    "deleteDevices",
    "freezeDevices",
    "unfreezeDevices",
    "createCommands",
    "createAsyncCommands",
    "updateDeviceShadows",
    "changeGateway",
)
"""Of the vendor: there are none here."""
_REMOVED = "Removed"
"""A state of the vendor's targets that none has here."""

TASK_PARAMETERS = (
    *PAGING,
    Parameter("app_id", text(SHORT_ID.pattern)),
    Parameter("task_type", {"type": "string", "enum": [CREATE_MESSAGES, *_OTHER_TYPES]}, "Of others there are none."),
    Parameter("status", {"type": "string", "enum": list(TaskStatus)}),
)
"""Of ListBatchTasks."""
DETAIL_PARAMETERS = (
    *PAGING,
    Parameter("task_detail_status", {"type": "string", "enum": [*TargetStatus, _REMOVED]}, "Of the targets shown."),
    Parameter("target", text(ID.pattern), "The device."),
)
"""Of ShowBatchTask."""


def parse_tasks(query: bytes) -> TaskSearch | None:
    """What ListBatchTasks asks for. None: tasks of a type that is not there."""
    given = parameters(query)
    task_type = given.get("task_type", CREATE_MESSAGES)
    if task_type not in (CREATE_MESSAGES, *_OTHER_TYPES):
        raise bad_parameter("task_type", f"a type of batch task, {CREATE_MESSAGES} for example")
    search = TaskSearch(
        **parse_paging(given)._asdict(),
        app_id=checked("app_id", given.get("app_id"), SHORT_ID),
        status=_one_of("status", given.get("status"), TaskStatus),
    )
    return search if task_type == CREATE_MESSAGES else None


def parse_details(query: bytes) -> TargetSearch | None:
    """What ShowBatchTask asks for. None: targets in a state of the vendor that is not there."""
    given = parameters(query)
    removed = given.get("task_detail_status") == _REMOVED
    search = TargetSearch(
        **parse_paging(given)._asdict(),
        status=None if removed else _one_of("task_detail_status", given.get("task_detail_status"), TargetStatus),
        device_id=checked("target", given.get("target"), ID),
    )
    return None if removed else search


def parse_task_id(task_id: str) -> int:
    """`Task.key`. Raises UnknownTask for an id that no task can have, Refusal for percent-encoding that is none."""
    if not TASK_ID.fullmatch(task_id):
        check_encoding("task_id", task_id)
        raise UnknownTask(task_id)
    return int(task_id, 16)


def _one_of(field: str, value: str | None, states: type[S]) -> S | None:
    if value is None:
        return None
    try:
        return states(value)
    except ValueError:
        raise bad_parameter(field, "one of " + ", ".join(states)) from None
