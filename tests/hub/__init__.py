"""A Hugging Face Hub on this machine, for the real client.

with Hub() as hub:
    hub.user("me", pro=True)
    token = hub.token("me")
    api = HfApi(endpoint=hub.url, token=token)  # inside `reachable()`
    api.create_repo("me/demo", repo_type="space", space_sdk="gradio")
    hub.fail("POST", "/commit/", status=502, when="after")  # applied, but nobody hears of it
    ...
    assert hub.space("me/demo").files()["app.py"] == b"..."
    assert hub.space("me/demo").builds == 1

Of what is not known of the real Hub, it does the stricter thing; no test should rest on that.
"""

from hub.client import environment, reachable
from hub.hub import Hub
from hub.objects import Blob, Commit
from hub.repos import PullRequest, Repo
from hub.spaces import Space

__all__ = [
    "Blob",
    "Commit",
    "Hub",
    "PullRequest",
    "Repo",
    "Space",
    "environment",
    "reachable",
]
