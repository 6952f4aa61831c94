"""Devices: AddDevice, ListDevices, ShowDevice, UpdateDevice, DeleteDevice, ResetDeviceSecret, ResetFingerprint,
FreezeDevice, UnfreezeDevice."""

from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.access import AccessCheck
from bridge.api.answer import Json
from bridge.api.base import Devices
from bridge.api.body import read_json
from bridge.api.iotda import device_render
from bridge.api.iotda.describe import operation
from bridge.api.iotda.device_parse import (
    EXAMPLES,
    AddDevice,
    ResetFingerprint,
    ResetSecret,
    UpdateDevice,
    parse_amendment,
    parse_enrolment,
    parse_reset_fingerprint,
    parse_reset_secret,
)
from bridge.api.iotda.device_query import ACTION_PARAMETERS, PARAMETERS, parse_action, parse_search
from bridge.api.iotda.device_render import render_device, render_devices, render_fingerprint, render_secret
from bridge.api.iotda.errors import BAD_LIMIT, BAD_MARKER, BAD_PERIOD, BAD_TIME, answer_error
from bridge.api.iotda.query import check_device, check_project
from bridge.api.operation import Operation
from bridge.api.resource import Call, Handler, Resource
from bridge.model.errors import (
    AlreadyFrozen,
    DuplicateDevice,
    HasSubDevices,
    IsSubDevice,
    NotFrozen,
    UnknownDevice,
)

PATH = "/v5/iot/{project_id}/devices"
DEVICE = PATH + "/{device_id}"

WRITE = "devices:write"
READ = "devices:read"


class DeviceManagement:
    """Every handler checks credentials, then names in the path, then what else it was given, then asks the core."""

    def __init__(self, devices: Devices, check: AccessCheck, *, max_body: int) -> None:
        self._devices = devices
        self._check = check
        self._max_body = max_body

    def routes(self) -> list[BaseRoute]:
        paths: dict[str, dict[str, Handler]] = {
            PATH: {"POST": self.add, "GET": self.index},
            DEVICE: {"GET": self.show, "PUT": self.update, "DELETE": self.delete},
            DEVICE + "/action": {"POST": self.act},
            DEVICE + "/reset-fingerprint": {"POST": self.reset_fingerprint},
            DEVICE + "/freeze": {"POST": self.freeze},
            DEVICE + "/unfreeze": {"POST": self.unfreeze},
        }
        return [Route(path, Resource(answer_error, handlers, self._check)) for path, handlers in paths.items()]

    def operations(self) -> list[Operation]:
        return [*_collection(), *_single(), *_resets(), *_freezing()]

    async def add(self, call: Call) -> Response:
        project = self._project(call, WRITE)
        record = await self._devices.add(project, parse_enrolment(await read_json(call, self._max_body)))
        return Json(render_device(record, with_secret=True), 201)

    async def index(self, call: Call) -> Response:
        project = self._project(call, READ)
        return Json(render_devices(await self._devices.find(project, parse_search(call.scope["query_string"]))))

    async def show(self, call: Call) -> Response:
        return Json(render_device(self._devices.show(*self._device(call, READ))))

    async def update(self, call: Call) -> Response:
        project, device_id = self._device(call, WRITE)
        amendment = parse_amendment(await read_json(call, self._max_body))
        return Json(render_device(await self._devices.amend(project, device_id, amendment)))

    async def delete(self, call: Call) -> Response:
        await self._devices.remove(*self._device(call, WRITE))
        return Response(status_code=204)

    async def act(self, call: Call) -> Response:
        project, device_id = self._device(call, WRITE)
        parse_action(call.scope["query_string"])
        reset = parse_reset_secret(await read_json(call, self._max_body))
        secret = await self._devices.reset_secret(
            project, device_id, reset.value, reset.slot, disconnect=reset.disconnect
        )
        return Json(render_secret(device_id, secret, reset.slot))

    async def reset_fingerprint(self, call: Call) -> Response:
        project, device_id = self._device(call, WRITE)
        reset = parse_reset_fingerprint(await read_json(call, self._max_body))
        fingerprint = reset.value or ""
        await self._devices.reset_fingerprint(project, device_id, fingerprint, reset.slot, disconnect=reset.disconnect)
        return Json(render_fingerprint(device_id, fingerprint, reset.slot))

    async def freeze(self, call: Call) -> Response:
        return await self._set_frozen(call, frozen=True)

    async def unfreeze(self, call: Call) -> Response:
        return await self._set_frozen(call, frozen=False)

    async def _set_frozen(self, call: Call, *, frozen: bool) -> Response:
        await self._devices.set_frozen(*self._device(call, WRITE), frozen=frozen)
        return Response(status_code=204)

    def _project(self, call: Call, scope: str) -> str:
        """The project of the path, after the access check."""
        project: str = call.path_params["project_id"]
        self._check.enter(call, project, scope)
        check_project(project)
        return project

    def _device(self, call: Call, scope: str) -> tuple[str, str]:
        """(project, device id) of the path, after the access check."""
        project: str = call.path_params["project_id"]
        device_id: str = call.path_params["device_id"]
        self._check.enter(call, project, scope)
        check_device(project, device_id)
        return project, device_id


_describe = partial(operation, tag="Devices")
_write = partial(_describe, scope=WRITE)


def _collection() -> list[Operation]:
    return [
        _write(
            "POST",
            PATH,
            "AddDevice",
            "Register a device. The answer has its secret, which is not shown again.",
            body=AddDevice,
            example=EXAMPLES[AddDevice],
            answers={201: device_render.ShownDevice},
            errors=(DuplicateDevice,),
        ),
        _describe(
            "GET",
            PATH,
            "ListDevices",
            "The devices of a project, newest first.",
            scope=READ,
            query=PARAMETERS,
            answers={200: device_render.Devices},
            errors=(BAD_LIMIT, BAD_MARKER, BAD_TIME, BAD_PERIOD),
        ),
    ]


def _single() -> list[Operation]:
    return [
        _describe(
            "GET",
            DEVICE,
            "ShowDevice",
            "A device, and whether it is connected.",
            scope=READ,
            answers={200: device_render.ShownDevice},
            errors=(UnknownDevice,),
        ),
        _write(
            "PUT",
            DEVICE,
            "UpdateDevice",
            "Change what is given.",
            body=UpdateDevice,
            example=EXAMPLES[UpdateDevice],
            answers={200: device_render.ShownDevice},
            errors=(UnknownDevice,),
        ),
        _write(
            "DELETE",
            DEVICE,
            "DeleteDevice",
            "Remove a device and its messages.",
            answers={204: None},
            errors=(UnknownDevice, HasSubDevices),
        ),
    ]


def _resets() -> list[Operation]:
    return [
        _write(
            "POST",
            DEVICE + "/action",
            "ResetDeviceSecret",
            "Give a device another secret.",
            query=ACTION_PARAMETERS,
            body=ResetSecret,
            body_required=False,
            example=EXAMPLES[ResetSecret],
            answers={200: device_render.NewSecret},
            errors=(UnknownDevice,),
        ),
        _write(
            "POST",
            DEVICE + "/reset-fingerprint",
            "ResetFingerprint",
            "Give a device another certificate.",
            body=ResetFingerprint,
            example=EXAMPLES[ResetFingerprint],
            answers={200: device_render.NewFingerprint},
            errors=(UnknownDevice,),
        ),
    ]


def _freezing() -> list[Operation]:
    return [
        _write(
            "POST",
            DEVICE + "/freeze",
            "FreezeDevice",
            "Disconnect a device, and let it not connect any more.",
            answers={204: None},
            errors=(UnknownDevice, IsSubDevice, AlreadyFrozen),
        ),
        _write(
            "POST",
            DEVICE + "/unfreeze",
            "UnfreezeDevice",
            "Let a frozen device connect again.",
            answers={204: None},
            errors=(UnknownDevice, IsSubDevice, NotFrozen),
        ),
    ]
