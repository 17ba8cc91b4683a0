"""What the site adds to the pages: README as its front, and a reference from docstrings, CLI and OpenAPI."""

from __future__ import annotations

import inspect
import json
import logging
import re
import tempfile
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import typer.main

import crisol
from crisol.cli import app
from crisol.config import Settings
from crisol.service.embedded import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import click
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decisions: whoever adds one edits no configuration."""
    nav = typing.cast("list[dict[str, Any]]", config.nav)
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    nav[-1]["Decisions"] = [str(page.relative_to(DOCS)) for page in decisions]
    return config


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Fill in what a page's marker stands for, and unlink files that are no part of the site."""
    marker = re.search(r"^<!-- (\w+) -->$", markdown, re.MULTILINE)
    if marker is not None and marker[1] in _PARTS:
        markdown = markdown.replace(marker[0], _PARTS[marker[1]]())
    here = (DOCS / page.file.src_uri).parent
    return re.sub(r"\[([^\]]*)\]\(([^)#:]+)(#[^)]*)?\)", lambda link: _link(link, here), markdown)


def _link(link: re.Match[str], here: Path) -> str:
    target = (here / link[2]).resolve()
    if target.is_relative_to(DOCS):
        return link[0]
    return f"{link[1]} (`{target.relative_to(ROOT)}`)" if target.is_relative_to(ROOT) else link[0]


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")


def _python() -> str:
    return "\n\n".join(_entry(name) for name in crisol.__all__ if not name.startswith("_"))


def _entry(name: str) -> str:
    value = getattr(crisol, name)
    text = [f"## `crisol.{name}`", f"From `{value.__module__}`.", _signature(name, value), _text(value)]
    if inspect.isclass(value):
        for member, inner in vars(value).items():
            shown = inner.fget if isinstance(inner, property) else getattr(inner, "__func__", inner)
            if member.startswith("_") or not inspect.isfunction(shown) or not shown.__doc__:
                continue
            form = f"`{member}`" if isinstance(inner, property) else f"`{member}{_arguments(shown)}`"
            text.append(f"### {form}\n\n{_text(shown)}")
    return "\n\n".join(part for part in text if part)


def _signature(name: str, value: object) -> str:
    if inspect.isclass(value) and issubclass(value, BaseException):
        return ""
    arguments = _arguments(value)
    return f"```python\n{name}{arguments}\n```" if arguments else ""


def _arguments(value: Any) -> str:
    try:
        return str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""


def _text(value: object) -> str:
    """Return a docstring as Markdown: roles of Sphinx become code, doctests become blocks."""
    text = inspect.getdoc(value) or ""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        begins = line.startswith((">>>", "..."))
        if begins and not inside:
            lines += ["", "```python"]
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join([*lines, *(["```"] if inside else [])])


def _commands() -> str:
    group = typer.main.get_command(app)
    return "\n\n".join(_described("crisol", group))


def _described(name: str, command: click.Command) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if name != "crisol":
        yield f"## `{name}`"
        yield inspect.cleandoc(command.help or "")
    if name != "crisol" and not inner:
        shown = [parameter for parameter in command.params if "--help" not in parameter.opts]
        yield _table(
            ("argument or option", "meaning"), [(_flag(parameter), _help(parameter)) for parameter in shown]
        )
    for title, nested in inner.items():
        if not nested.hidden:
            yield from _described(f"{name} {title}", nested)


def _flag(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name or '').upper()}`"
    return ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))


def _help(parameter: click.Parameter) -> str:
    text = " ".join((getattr(parameter, "help", "") or "").split())
    default = parameter.default
    shown = default not in {None, "", False} if isinstance(default, str | int | float) else False
    return f"{text} Default `{default}`." if shown else text


def _http() -> str:
    # It serves an empty folder, and would say that it has no model.
    logging.getLogger("crisol").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Settings(root=Path(folder), port=0)) as server,
        urlopen(f"{server.url}/openapi.json") as response,  # noqa: S310 - the server of the line above
    ):
        described = json.load(response)
    parts: list[str] = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts += [f"## `{method.upper()} {path}`", *_operation(operation)]
    parts.append("## Types")
    for name, schema in sorted(described["components"]["schemas"].items()):
        parts += [f"### {name}", schema.get("description", "")]
        fields = schema.get("properties", {}).items()
        rows = [(f"`{field}`", _kind(kind), kind.get("description", "")) for field, kind in fields]
        parts.append(_table(("field", "type", "meaning"), rows))
    return "\n\n".join(part for part in parts if part)


def _operation(operation: dict[str, Any]) -> Iterator[str]:
    yield operation.get("summary") or ""
    yield operation.get("description", "")
    rows = [
        (f"`{field['name']}`", _kind(field["schema"]), field.get("description", ""))
        for field in operation.get("parameters", [])
    ]
    yield _table(("parameter", "type", "meaning"), rows)
    for role, content in (
        ("Body", operation.get("requestBody", {})),
        ("Answer", operation["responses"].get("200", {})),
    ):
        schema = content.get("content", {}).get("application/json", {}).get("schema", {})
        yield f"{role}: {_kind(schema)}." if schema else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown, nothing without rows."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema.get("type", "anything"))


_PARTS: dict[str, Callable[[], str]] = {
    "readme": _readme,
    "python": _python,
    "commands": _commands,
    "http": _http,
}
