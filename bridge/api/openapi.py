"""/openapi.json: every route, field, limit and error of this API, made once, from what stands next to the routes.

How to describe a new route:

1. The class with `routes()` has `operations()` as well, with one `operation(...)` for each method of each route
   (`bridge.api.iotda.describe.operation`; the other dialects have their own describe.py, with their own errors, from
   what is in operation.py and samples.py). See devices.py.
2. Bodies of requests and answers are the msgspec types that the parser decodes and the renderer encodes. What else the
   parser asks of a field is said with the field, from the same constant or pattern that the parser uses:
   `name: Annotated[str, shown(NAME)] | None = None`, see schema.py. A `msgspec.Raw` says what it may be,
   `shown(type="object")`, and an absent one is `msgspec.field(default_factory=msgspec.Raw)`.
3. Parameters of a query stand next to their parser, see `PARAMETERS` in device_query.py; names in a path are in
   `PATH_PARAMETERS` of describe.py.
4. `example` is a body that is accepted. tests/acceptance/test_hostile_fields.py takes it apart field by field, so it
   should have all of them, and tests/acceptance/test_openapi.py sends whatever the description allows and forbids.
5. The class goes into `groups` in app.py.

tests/api/test_openapi.py compares the document with the routes, and says what is missing.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.api.document import document_of
from bridge.api.iotda.describe import operation
from bridge.api.iotda.errors import answer_error
from bridge.api.operation import Operation, RouteGroup
from bridge.api.resource import Call, Resource

PATH = "/openapi.json"
MEDIA_TYPE = "application/openapi+json"


class OpenApi:
    """The document of `groups` and of itself, and the route that serves it from memory.

    It is made when it is asked for first: that takes as long as a quarter of a start, and most never ask.
    """

    def __init__(self, groups: Sequence[RouteGroup], *, max_body: int) -> None:
        self._groups = groups
        self._max_body = max_body
        self._making = asyncio.Lock()
        self._body: bytes | None = None

    def routes(self) -> list[BaseRoute]:
        return [Route(PATH, Resource(answer_error, {"GET": self.show}))]

    def operations(self) -> list[Operation]:
        return [
            operation(
                "GET",
                PATH,
                "ShowOpenApi",
                "This document.",
                tag="Operations",
                scope=None,
                answers={200: dict},
                media_type=MEDIA_TYPE,
            )
        ]

    async def show(self, _call: Call) -> Response:
        async with self._making:
            if self._body is None:
                self._body = await asyncio.to_thread(self._document)
        return Response(self._body, media_type=MEDIA_TYPE)

    def _document(self) -> bytes:
        described = [each for group in [*self._groups, self] for each in group.operations()]
        return msgspec.json.encode(document_of(described, max_body=self._max_body))
