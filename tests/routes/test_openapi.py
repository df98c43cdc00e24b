"""Routes that an OpenAPI document proposes: each is one that can be sent."""

import builtins
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.errors import OptionError
from tidemark.routes import read_routes
from tidemark.routes.document import Document
from tidemark.routes.examples import example_of
from tidemark.routes.openapi import left_out, propose_routes
from tidemark.routes.template import Values, parse_template

PETSTORE = Path(__file__).with_name("petstore.yaml")
VALUES = Values(7, "0a1b2c3d", 1)
EMPTY = {"openapi": "3.1.0", "paths": {}}


def named(path: Path) -> dict[str, dict[str, Any]]:
    return {route["name"]: route for route in propose_routes(path)}


def written(folder: Path, **parts: Any) -> Path:
    path = folder / "api.json"
    path.write_text(json.dumps({**EMPTY, **parts}))
    return path


def test_each_operation_that_can_be_repeated_is_a_route() -> None:
    proposed = propose_routes(PETSTORE)
    assert [(route["name"], route["method"], route["path"]) for route in proposed] == [
        ("listPets", "GET", "/api/v3/pets"),
        ("POST /pets", "POST", "/api/v3/pets"),
        ("GET /pets/{petId}", "GET", "/api/v3/pets/{seq}"),
        ("PUT /pets/{petId}", "PUT", "/api/v3/pets/{seq}"),
        ("mendToy", "PATCH", "/api/v3/toys/{uuid}/big"),
    ]  # fmt: skip


def test_what_is_left_out_is_said() -> None:
    told = left_out(PETSTORE)
    assert [line.partition(": ")[0] for line in told] == [
        "DELETE /pets/{petId}", "POST /pets/{petId}/image",
    ]  # fmt: skip
    assert "multipart/form-data" in told[1]


def test_every_proposal_is_a_route_that_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    for route in read_routes(propose_routes(PETSTORE), Path()):
        request = route.request(VALUES, 0)
        assert request.path.startswith("/api/v3/")
        assert (request.body is None) is (route.method == "GET")


def test_a_body_is_made_of_what_is_required() -> None:
    body = json.loads(named(PETSTORE)["POST /pets"]["body"])
    assert body == {
        "id": "{uuid}", "born": "{now}",
        "parent": {"label": "{random:5}"},
        "name": "Rex", "legs": 4, "weight": 2.5, "kind": "dog", "good": True, "sizes": [1, 1],
    }  # fmt: skip


def test_an_example_of_the_document_is_sent_as_it_is() -> None:
    route = named(PETSTORE)["PUT /pets/{petId}"]
    assert json.loads(route["body"]) == {"name": "Rex", "tag": None}
    assert route["headers"] == {
        "Authorization": "Bearer ${TOKEN}", "Content-Type": "application/merge-patch+json",
    }  # fmt: skip


def test_parameters_that_are_required_are_given() -> None:
    listed = named(PETSTORE)["listPets"]
    assert listed["query"] == {"status": "sold", "tags": "a,{{b}}"}
    assert listed["headers"] == {"X-Request-ID": "{uuid}"}
    assert uuid.UUID(parse_template(listed["headers"]["X-Request-ID"]).render(VALUES))


def test_a_form_is_a_body_too() -> None:
    route = named(PETSTORE)["mendToy"]
    assert route["body"] == "note=a+%26+b"
    assert route["headers"]["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_redirect_is_success_where_nothing_else_is() -> None:
    assert named(PETSTORE)["GET /pets/{petId}"]["success"] == {"status": [303]}
    assert "success" not in named(PETSTORE)["POST /pets"]


def test_swagger_2_is_read_too(tmp_path: Path) -> None:
    document = {
        "swagger": "2.0",
        "basePath": "/v2",
        "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "api_key"}},
        "definitions": {"Pet": {"required": ["name"], "properties": {"name": {"type": "string"}}}},
        "paths": {
            "/pet": {"post": {"security": [{"key": []}], "parameters": [
                {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/Pet"}}]}},
            "/pet/{id}": {
                "get": {"parameters": [
                    {"in": "path", "name": "id", "type": "integer", "required": True},
                    {"in": "query", "name": "n", "type": "integer", "minimum": 5, "required": True},
                ]},
                "post": {"parameters": [{"in": "formData", "name": "a", "type": "string"}]},
            },
            "/file": {"post": {"parameters": [{"in": "formData", "name": "f", "type": "file"}]}},
        },
    }  # fmt: skip
    path = tmp_path / "swagger.json"
    path.write_text(json.dumps(document))
    assert propose_routes(path) == [
        {"name": "POST /pet", "method": "POST", "path": "/v2/pet", "body": '{"name": "{random:8}"}',
         "headers": {"api_key": "${API_KEY}"}},
        {"name": "GET /pet/{id}", "method": "GET", "path": "/v2/pet/{seq}", "query": {"n": "5"}},
        {"name": "POST /pet/{id}", "method": "POST", "path": "/v2/pet/{seq}",
         "body": "a={random:8}", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ]  # fmt: skip
    assert [line.partition(":")[0] for line in left_out(path)] == ["POST /file"]


def test_a_schema_within_itself_comes_to_an_end(tmp_path: Path) -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/node"}}}
    whole = {"allOf": [{"$ref": "#/whole"}, {"type": "integer"}]}
    document = Document(written(tmp_path, node=node, whole=whole))
    assert example_of(document, {"$ref": "#/whole"}) == 1
    assert json.dumps(example_of(document, {"$ref": "#/node"})).count("next") < 20


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[]", "is no OpenAPI document"),
        ("a.json", '{"openapi": "3.0.0"}', "is no OpenAPI document"),
        ("a.json", '{"paths": {}}', "is no OpenAPI document"),
        ("a.yaml", "a: [", "is not YAML"),
        ("a.yaml", "just text", "is no OpenAPI document"),
        ("b.json", "", "cannot be read: No such file"),
    ],
)
def test_another_file_is_refused_in_one_line(
    name: str, text: str, wanted: str, tmp_path: Path
) -> None:
    (tmp_path / name.replace("b.", "other.")).write_text(text)
    with pytest.raises(OptionError, match=wanted) as caught:
        propose_routes(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("other.json#/a", "bundle it into one document"),
        ("#/no/such", "which is not there"),
        ("#/round", "refers to itself"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    reference: str, wanted: str, tmp_path: Path
) -> None:
    path = written(tmp_path, paths={"/": {"$ref": reference}}, round={"$ref": "#/round"})
    with pytest.raises(OptionError, match=wanted):
        propose_routes(path)


def test_without_pyyaml_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real_import = builtins.__import__

    def no_yaml(name: str, *given: Any, **named: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError(name=name)
        return real_import(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", no_yaml)
    with pytest.raises(OptionError, match="takes the package pyyaml: install it, or convert it"):
        propose_routes(PETSTORE)
    assert propose_routes(written(tmp_path)) == []


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps(yaml.safe_load(PETSTORE.read_text())))
    assert propose_routes(path) == propose_routes(PETSTORE)


SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", "boolean", "null", "x", 3]),
            "format": st.sampled_from(["uuid", "date-time", "x"]),
            "minimum": st.floats(-1e6, 1e6) | st.none(),
            "exclusiveMaximum": st.booleans() | st.integers(-5, 5),
            "multipleOf": st.floats(-1, 3),
            "minLength": st.integers(-1, 10**9),
            "enum": st.lists(st.integers(), max_size=2),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "array", ["null", "object"]])},
        optional={
            "properties": st.dictionaries(st.text(max_size=3), inner, max_size=3),
            "required": st.lists(st.text(max_size=3), max_size=2) | st.none(),
            "items": inner,
            "minItems": st.integers(-1, 10**9),
            "allOf": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_whatever_the_schema_its_example_can_be_sent(
    tmp_path_factory: pytest.TempPathFactory, schema: dict[str, Any]
) -> None:
    path = written(
        tmp_path_factory.getbasetemp(),
        paths={
            "/": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}}
        },
    )
    (route,) = read_routes(propose_routes(path), Path())
    json.loads(route.request(VALUES, 0).body or b"")  # raises where it is no JSON
