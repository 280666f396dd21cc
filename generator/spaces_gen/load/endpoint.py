"""What a running Space can be asked, found out from its own configuration."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from spaces_gen.errors import UserError

OF_THE_PAGE = {"state", "browserstate"}  # filled by the page, not by the visitor
NAMED = {"audio", "file", "model3d"}  # of their examples the page shows the name alone
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Argument:
    """One input: the name of the API's argument, and its default; name "" for one of the page."""

    name: str
    default: Any


@dataclass(frozen=True)
class Endpoint:
    """The function `predict` of a Space.

    Attributes:
        number: of the function in Gradio's configuration.
        examples: rows of values of the first arguments that the visitor fills.
        direct: whether `POST /api/predict` answers.
        streams: whether answers come in parts.
    """

    url: str
    number: int
    arguments: tuple[Argument, ...]
    examples: tuple[tuple[Any, ...], ...]
    direct: bool
    streams: bool

    @property
    def asked(self) -> tuple[Argument, ...]:
        """The arguments that a visitor fills."""
        return tuple(one for one in self.arguments if one.name)


def find_endpoint(url: str, api_name: str = "predict") -> Endpoint:
    """Ask a Space for its configuration.

    Raises:
        UserError: nobody answers, or it is no Gradio app with such an endpoint.
    """
    url = url.rstrip("/")
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, follow_redirects=True) as client:
            config = client.get("/config").raise_for_status().json()
            info = client.get("/gradio_api/info").raise_for_status().json()
            schema = client.get("/api/openapi.json")
            examples = shown_examples(client, config)
    except (httpx.HTTPError, ValueError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{url} does not answer as a Gradio app does ({said})") from error
    named = [one for one in config["dependencies"] if one.get("api_name") == api_name]
    if not named:
        names = ", ".join(str(one.get("api_name")) for one in config["dependencies"][:8])
        raise UserError(f"{url} has no endpoint {api_name!r}; it has {names}")
    kinds = {one["id"]: one["type"] for one in config["components"]}
    told = iter(info["named_endpoints"].get(f"/{api_name}", {}).get("parameters", []))
    arguments = []
    for place in named[0]["inputs"]:
        about: dict[str, Any] = {} if kinds[place] in OF_THE_PAGE else next(told, {})
        name = str(about.get("parameter_name", ""))
        arguments.append(Argument(name, about.get("parameter_default")))
    return Endpoint(
        url,
        named[0]["id"],
        tuple(arguments),
        examples,
        schema.status_code == 200 and '"/predict"' in schema.text,
        bool(named[0].get("types", {}).get("generator")),
    )


def shown_examples(client: Any, config: dict[str, Any]) -> tuple[tuple[Any, ...], ...]:
    """The rows of the page's first list of examples.

    Raises:
        httpx.HTTPError, ValueError: the page does not tell what a click on one fills in.
    """
    for one in config["components"]:
        samples = one["props"].get("samples") if one["type"] == "dataset" else None
        if not samples:
            continue
        kinds = {
            component["name"] if isinstance(component, dict) else component
            for component in one["props"]["components"]
        }
        clicks = [
            dependency
            for dependency in config["dependencies"]
            if [one["id"], "click"] in dependency["targets"] and dependency["inputs"] == [one["id"]]
        ]
        if kinds & NAMED and clicks:
            return tuple(clicked(client, clicks[0]["id"], row) for row in range(len(samples)))
        return tuple(tuple(row) for row in samples)
    return ()


def clicked(client: Any, function: int, number: int) -> tuple[Any, ...]:
    """What a click on an example fills in."""
    asked = {"data": [number], "fn_index": function, "session_hash": uuid.uuid4().hex}
    told = client.post("/gradio_api/run/predict", json=asked).raise_for_status().json()["data"]
    return tuple(
        one.get("value") if isinstance(one, dict) and one.get("__type__") == "update" else one
        for one in told
    )
