"""Gives every body, answer and parameter of the description an example, made of what its schema says.

What a schema gives as an example, a default or a constant is taken; the rest comes from the names and types of fields. So
no field is without one, and none has to be written twice.
"""

from __future__ import annotations

from typing import Any

_ID = "01JGZ3Y9W5V8Q2M4T6R8K0N1PD"
_BY_NAME: dict[str, Any] = {
    "type": "resize", "queue": "mail", "name": "mail", "worker": "mail-1-3f2a9c", "run": _ID,
    "node": "load",
    "reason": "no longer wanted", "message": "no such user", "description": "Make an image smaller.", "who": "key:ops",
    "target": "mail", "traceback": "Traceback (most recent call last): …", "key": "user-42", "by": "ops",
    "group": "3f2a9c1d5e7b8046",
    "cron": "0 3 * * *", "tz": "Europe/Berlin", "dag": "etl", "trace_url": "https://traces.example/5f1c7ad0b0e84f4c",
    "topic": ["stats"], "progress": 0.5, "step": "rendering", "version": "1.0.0", "logger": "app.mail", "level": "INFO",
}  # fmt: skip
"""What fields of these names hold, where their schema gives no example."""
_BY_FORMAT = {"date-time": "2030-01-01T06:00:00Z", "date": "2030-01-01"}
_DEEPEST = 8


def add_examples(description: dict[str, Any]) -> dict[str, Any]:
    """The same description, with an example beside every schema of JSON that has none."""
    schemas: dict[str, Any] = description.get("components", {}).get("schemas", {})
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if "example" not in parameter and "examples" not in parameter:
                    parameter["example"] = _example(parameter["schema"], schemas, parameter["name"])
            answers = [
                it for status, it in operation["responses"].items() if status < "4"
            ]  # errors are all alike
            bodies = [operation.get("requestBody", {}), *answers]
            for content in [body["content"] for body in bodies if "content" in body]:
                media = content.get("application/json", {})
                if "schema" in media and "example" not in media and "examples" not in media:
                    media["example"] = _example(media["schema"], schemas)
    return description


def _example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", depth: int = 0) -> Any:
    """A value that the schema allows, for a field of this name."""
    if depth > _DEEPEST:
        return None
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    for given in ("example", "const"):
        if given in schema:
            return schema[given]
    if name == "cursor":
        return None
    if schema.get("default") is not None:
        return schema["default"]
    choices = [it for it in schema.get("anyOf", ()) if it.get("type") != "null"]
    if choices:
        return _example(choices[0], schemas, name, depth + 1)
    return _of_type(schema, schemas, name, depth)


def _of_type(schema: dict[str, Any], schemas: dict[str, Any], name: str, depth: int) -> Any:
    kind = {"string": str, "number": float, "array": list}.get(schema.get("type", ""))
    if kind is not None and isinstance(_BY_NAME.get(name), kind):
        return _BY_NAME[name]
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {field: _example(of, schemas, field, depth + 1) for field, of in fields.items()}
        case "array":
            return [_example(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)]
        case "integer" | "number":
            least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            return max(int(least), 1)
        case "boolean":
            return False
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), _ID if name.endswith("id") else "text")
        case _:
            return None
