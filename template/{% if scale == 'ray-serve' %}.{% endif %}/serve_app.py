"""The Space on Ray Serve: the page, and as many copies of the model as the load needs.

serve_config.yaml deploys both as applications of their own, so that another model.py
replaces the copies of the model one after the other while the page stays up.
"""

from ray import serve

from serving.page import Page
from serving.replica import Replica
from serving.sticky import StickyRouter

ROUTER = {
    "request_router_class": StickyRouter,
    "request_router_kwargs": {"num_fallback_replicas": 0},
}

model = serve.deployment(name="model")(Replica).bind()


def page(args: dict[str, int]) -> serve.Application:
    """The page, which lets in as many requests as `copies` of the model can answer."""
    deployment = serve.deployment(name="page", request_router_config=ROUTER)
    return deployment(serve.ingress()(Page)).bind(args["copies"])
