"""An OpenAPI 3.1 document of some operations."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from bridge import __version__
from bridge.api.components import Components, Json
from bridge.api.operation import ErrorCode, Operation, Parameter
from bridge.model.principal import SCOPES

SCHEMES = ("token", "bearer", "signature")

_DESCRIPTION = """\
Messages for devices: kept durably, delivered over MQTT, and each with a state that is true.

HEAD is GET without the body. A path that is not here is answered with 404, another method with 405 and Allow. A request
body may have {max_body} bytes, unless said otherwise. Unknown fields and parameters are ignored, and null is the same
as absent. What is no HTTP, too slow or too long in its head is answered with 400, 408 or 431, an error_code and an
error_msg, on every path.

Scopes, and what each opens (`admin` opens everything):

{scopes}
"""


_REQUEST_ID: Json = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "1 to 128 letters, digits, _, . and -: is used for this request. Otherwise it gets one.",
    "schema": {"type": "string"},
}
_HEADERS: Json = {
    "X-Request-Id": {"description": "Names the request in the log.", "required": True, "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer"}},
    "Accept-Encoding": {"description": "identity.", "required": True, "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "Bearer.", "required": True, "schema": {"type": "string"}},
}
_SECURITY_SCHEMES: Json = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "A token of `device-bridge token create`. A valid one decides: Authorization is not looked at.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same token, as RFC 6750 has it."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "As the vendor's SDKs sign with an access key of `device-bridge key create`: "
        "`SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…` with X-Sdk-Date, or the derived `V11-HMAC-SHA256`.",
    },
}


def document_of(operations: Sequence[Operation], *, max_body: int) -> Json:
    """An OpenAPI 3.1 document."""
    components = Components(operations)
    paths: defaultdict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, components)
    scopes = "\n".join(f"- `{scope}`: {_opened_by(scope, operations)}" for scope in SCOPES if scope != "admin")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "device-bridge",
            "version": __version__,
            "description": _DESCRIPTION.format(max_body=max_body, scopes=scopes),
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in operations)],
        "paths": dict(paths),
        "components": {
            "schemas": components.schemas,
            "headers": _HEADERS,
            "parameters": {"X-Request-Id": _REQUEST_ID},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _opened_by(scope: str, operations: Iterable[Operation]) -> str:
    return ", ".join(operation.operation_id for operation in operations if operation.scope == scope) or "nothing yet"


def _operation(operation: Operation, components: Components) -> Json:
    described: Json = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [
            *map(_parameter, operation.parameters),
            {"$ref": "#/components/parameters/X-Request-Id"},
        ],
        "responses": _responses(operation, components),
        "security": [{scheme: [operation.scope]} for scheme in SCHEMES] if operation.scope else [],
    }
    if operation.body is not None:
        content: Json = {"schema": components.reference(operation.body)}
        if operation.example:
            content["example"] = operation.example
        request: Json = {"required": operation.body_required, "content": {operation.body_media_type: content}}
        if operation.max_body is not None:
            request["description"] = f"At most {operation.max_body} bytes."
        described["requestBody"] = request
    return described


def _parameter(parameter: Parameter) -> Json:
    described: Json = {"name": parameter.name, "in": parameter.where, "schema": parameter.schema}
    if parameter.required or parameter.where == "path":
        described["required"] = True
    if parameter.description:
        described["description"] = parameter.description
    return described


def _refusal(error: ErrorCode) -> str:
    return f"- `{error.code}`: {error.text}" if error.code else f"- {error.text}"


def _responses(operation: Operation, components: Components) -> Json:
    by_status: defaultdict[int, list[ErrorCode]] = defaultdict(list)
    for error in operation.errors:
        by_status[error.status].append(error)
    return {
        str(status): _response(operation, status, by_status.get(status, []), components)
        for status in sorted({*operation.answers, *by_status})
    }


def _response(operation: Operation, status: int, errors: Sequence[ErrorCode], components: Components) -> Json:
    """An answer, or one of some errors, or either."""
    headers = {name: None for error in errors for name in error.headers if name in _HEADERS}
    response: Json = {
        "description": "\n".join(map(_refusal, errors)) or HTTPStatus(status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *headers)},
    }
    content: defaultdict[str, list[Json]] = defaultdict(list)
    if errors:
        content["application/json"].append(components.error(operation.error_body, errors))
    if (answer := operation.answers.get(status)) is not None:
        content[operation.media_type].append(components.reference(answer))
        for media_type, form in operation.also.items():
            content[media_type].append(components.reference(form))
    if content:
        response["content"] = {
            media_type: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
            for media_type, schemas in content.items()
        }
    return response
