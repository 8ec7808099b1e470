"""The API, readable: one page from the OpenAPI document, without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a table of parameters or fields."""

    name: str
    place: str
    type: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the page."""

    id: str
    verb: str
    path: str
    summary: str
    text: str
    permission: str
    fields: list[Field]
    reply: str


def operations(document: dict[str, Any]) -> dict[str, list[Operation]]:
    """Tag → its operations, in the order of the contracts."""
    found: dict[str, list[Operation]] = {}
    for path, verbs in document["paths"].items():
        for verb, one in verbs.items():
            content = one["responses"]["200"]["content"]
            media, schema = next((media, entry["schema"]) for media, entry in content.items())
            operation = Operation(
                id=one["operationId"],
                verb=verb.upper(),
                path=path,
                summary=one["summary"],
                text=one["description"],
                permission=one["x-kefu-permission"],
                fields=[*map(_parameter, one["parameters"]), *_body(document, one)],
                reply=f"{type_of(schema)} ({media})",
            )
            found.setdefault(one["tags"][0], []).append(operation)
    return found


def _parameter(parameter: dict[str, Any]) -> Field:
    schema = parameter["schema"]
    return Field(
        parameter["name"],
        parameter["in"],
        type_of(schema),
        parameter.get("required", False),
        parameter.get("description", ""),
    )


def _body(document: dict[str, Any], one: dict[str, Any]) -> list[Field]:
    body = one.get("requestBody")
    if body is None:
        return []
    schema = body["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    required = schema.get("required", [])
    return [
        Field(name, "body", type_of(entry), name in required, entry.get("description", ""))
        for name, entry in schema["properties"].items()
    ]


def type_of(schema: dict[str, Any]) -> str:
    """A schema in a word or two, for people."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"{type_of(schema['items'])}[]"
    limits = []
    if "enum" in schema:
        limits.append(" | ".join(map(str, schema["enum"][:8])))
    if "format" in schema:
        limits.append(str(schema["format"]))
    if "maxLength" in schema:
        limits.append(f"≤ {schema['maxLength']}")
    if "minimum" in schema or "maximum" in schema:
        limits.append(f"{schema.get('minimum', '')}…{schema.get('maximum', '')}")
    return f"{kind} ({', '.join(limits)})" if limits else kind


PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kefu API {{ document.info.version }}</title>
<style nonce="{{ nonce }}">
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --accent: #0b6bcb; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 18rem 1fr; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; border-right: 1px solid var(--line);
      box-sizing: border-box; font-size: .875rem; }
nav a { display: block; padding: .125rem 0; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover, nav a:focus-visible { color: var(--accent); text-decoration: underline; }
main { padding: 1rem 2rem 4rem; max-width: 60rem; min-width: 0; }
article { border-top: 1px solid var(--line); padding-block: 1rem; scroll-margin-top: 1rem; }
code { font: .875em ui-monospace, monospace; overflow-wrap: anywhere; }
.verb { font-weight: 700; color: var(--accent); }
p { white-space: pre-line; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
th, td { text-align: start; vertical-align: top; padding: .25rem .5rem .25rem 0; border-top: 1px solid var(--line); }
@media (max-width: 50rem) {
  body { display: block; } nav { position: static; height: auto; border: 0; } main { padding: 1rem; }
}
</style>
</head>
<body>
<nav aria-label="Operations">
<a href="/openapi.json">openapi.json</a>
{% for tag, entries in groups.items() %}<h2>{{ tag }}</h2>
{% for one in entries %}<a href="#{{ one.id }}">{{ one.id.split("_", 1)[1] }}</a>{% endfor %}{% endfor %}
</nav>
<main>
<h1>Kefu API</h1>
<p>{{ document.info.description }}</p>
{% for tag, entries in groups.items() %}<section><h2>{{ tag }}</h2>
{% for one in entries %}
<article id="{{ one.id }}">
<h3>{{ one.summary }}</h3>
<code><span class="verb">{{ one.verb }}</span> {{ one.path }}</code>
<p>{{ one.text }}</p>
{% if one.fields %}<table><thead><tr><th>Name</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead><tbody>
{% for field in one.fields %}<tr><td><code>{{ field.name }}</code>{% if field.required %} *{% endif %}</td>
<td>{{ field.place }}</td><td>{{ field.type }}</td><td>{{ field.text }}</td></tr>{% endfor %}
</tbody></table>{% endif %}
<p>Returns <code>{{ one.reply }}</code></p>
</article>{% endfor %}</section>{% endfor %}
</main>
</body>
</html>"""
