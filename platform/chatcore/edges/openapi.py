"""The description of the REST API in OpenAPI 3.1, made of the route table that makes the routes."""

import inspect
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from chatcore.edges.api import BYTES, JSON, Route
from chatcore.edges.views import Fault

REFUSALS: Final = (400, 401, 403, 404, 408, 413, 429, 503)
_TO: Final = "#/components/schemas/{name}"
Schema = dict[str, Any]


def document(routes: Iterable[Route]) -> bytes:
    """The description of `routes`, encoded."""
    rows = list(routes)
    types = {of for row in rows for of in (row.answer, row.variables, row.query, row.body)} | {Fault}
    ordered = sorted(types - {None, bytes}, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_TO)
    found = dict(zip(ordered, schemas, strict=True)) | {bytes: {}}
    paths: dict[str, Schema] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, found, components)
    described = {
        "openapi": "3.1.0",
        "info": {"title": "chatcore", "version": "1", "description": "The reference core's REST API."},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _refusal(status) for status in REFUSALS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(described)


def _operation(row: Route, found: dict[Any, Schema], components: dict[str, Schema]) -> Schema:
    told = inspect.getdoc(row.handler) or ""
    answer = {"description": "done", "content": {row.media.partition(";")[0]: {"schema": found[row.answer]}}}
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in REFUSALS}
    operation: Schema = {
        "operationId": row.handler.__name__,
        "summary": told.partition("\n")[0],
        "parameters": [*_parameters("path", row.variables, components), *_parameters("query", row.query, components)],
        "responses": {str(row.status): answer} | refusals,
        "x-roles": ["anybody"] if row.roles is None else list(row.roles),
        "security": [] if row.roles is None else [{"token": []}, *([{}] if row.admits else [])],
    }
    if row.body is not None:
        media = BYTES if row.body is bytes else JSON
        operation["requestBody"] = {"required": True, "content": {media: {"schema": found[row.body]}}}
    return operation


def _parameters(place: str, of: type | None, components: dict[str, Schema]) -> list[Schema]:
    if of is None:
        return []
    schema = components[of.__name__]
    return [
        {"name": name, "in": place, "required": name in schema["required"], "schema": field}
        for name, field in schema["properties"].items()
    ]


def _refusal(status: int) -> Schema:
    content = {"application/json": {"schema": {"$ref": _TO.format(name=Fault.__name__)}}}
    return {"description": HTTPStatus(status).phrase, "content": content}
