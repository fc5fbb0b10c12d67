"""CustomResourceDefinitions in the servers under test."""

from tests.conformance.api import Api, Json, eventually
from tests.conformance.objects import CRD_PATH

__all__ = ["condition", "install"]


def install(api: Api, definition: Json) -> None:
    """Creates a CustomResourceDefinition, unless another test of the session has, and waits until it is served."""
    name, spec = definition["metadata"]["name"], definition["spec"]
    assert api.call("POST", CRD_PATH, definition).status_code in {201, 409}
    with api.watch(CRD_PATH, fieldSelector=f"metadata.name={name}") as watch:
        watch.until(lambda event: condition(event["object"], "Established") == "True")
    version = spec["versions"][0]["name"]
    path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
    eventually(lambda: api.call("GET", path).status_code == 200, f"{path} served")


def condition(object_: Json, type_: str) -> str:
    """The status of a condition, or an empty text."""
    conditions = object_.get("status", {}).get("conditions") or []
    return next((str(each["status"]) for each in conditions if each["type"] == type_), "")
