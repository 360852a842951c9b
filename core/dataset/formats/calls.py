"""Tool calls and tool descriptions in every spelling found in datasets, in the form of chat templates."""

from __future__ import annotations

from typing import Any

from core.dataset.formats.decode import decoded
from core.dataset.records import Unreadable, json_type

_NAMES = ("name", "tool_name", "toolName", "function_name")
_ARGUMENTS = ("arguments", "parameters", "input", "args")
_IDS = ("id", "call_id", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId")
_SCHEMAS = ("parameters", "input_schema", "inputSchema")


def read_calls(value: Any) -> tuple[dict[str, Any], ...]:
    """Tool calls as `{"type", "function": {name, arguments}, "id"}`; from one, a list, or either as JSON text."""
    if isinstance(value, str):
        try:
            value = decoded(value)
        except Unreadable:
            raise Unreadable(f"a tool call should be an object with a name, but it is text: {value[:40]!r}") from None
    if isinstance(value, list):
        return tuple(call for item in value for call in read_calls(item))
    if not isinstance(value, dict):
        raise Unreadable(f"a tool call should be an object with a name, but it is {json_type(value)}")
    nested = value.get("function")
    inner: dict[str, Any] = nested if isinstance(nested, dict) else value
    name = next((inner[key] for key in _NAMES if isinstance(inner.get(key), str)), None)
    if name is None and isinstance(nested, str):
        name = nested
    if name is None:
        raise Unreadable("a tool call has no tool name")
    arguments = next((inner[key] for key in _ARGUMENTS if key in inner), None)
    if isinstance(arguments, str):
        try:
            arguments = decoded(arguments) if arguments.strip() else {}
        except Unreadable:
            raise Unreadable(f"the arguments of the tool call {name!r} are not JSON") from None
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise Unreadable(
            f"the arguments of the tool call {name!r} should be an object, but they are {json_type(arguments)}"
        )
    call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    known = call_id(value)
    if known:
        call["id"] = known
    return (call,)


def call_id(value: dict[str, Any], keys: tuple[str, ...] = _IDS) -> str:
    """The id of a call as text, "" where it has none."""
    found = next((value[key] for key in keys if value.get(key) not in (None, "")), "")
    return str(found) if isinstance(found, (str, int)) else ""


def read_tools(value: Any) -> tuple[dict[str, Any], ...]:
    """Tool descriptions as `{"type": "function", "function": {...}}`; from a list, or the same as JSON text."""
    if isinstance(value, str):
        if not value.strip():
            return ()
        value = decoded(value)
    if value is None:
        return ()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(f"`tools` should be a list, but it is {json_type(value)}")
    tools: list[dict[str, Any]] = []
    for tool in value:
        if isinstance(tool, str):
            try:
                tool = decoded(tool)
            except Unreadable:
                raise Unreadable(f"a tool should be an object, but it is only a name or text: {tool[:40]!r}") from None
        if not isinstance(tool, dict):
            raise Unreadable(f"a tool should be an object with a name, but it is {json_type(tool)}")
        declared = tool.get("functionDeclarations", tool.get("function_declarations"))
        if isinstance(declared, list):
            tools += read_tools(declared)
        elif isinstance(tool.get("function"), dict):
            tools.append(tool)
        else:
            tools.append({"type": "function", "function": _function(tool)})
    return tuple(tools)


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    """A bare description, with its schema under `parameters` where another service's name is used for it."""
    schema = next((key for key in _SCHEMAS if key in tool), "parameters")
    if schema == "parameters":
        return tool
    return {("parameters" if key == schema else key): value for key, value in tool.items()}
