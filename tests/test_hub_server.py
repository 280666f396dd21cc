"""The local Hub, asked by the real client: what it grants, refuses, keeps and counts."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hub import Hub, environment, reachable
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    SpaceHardware,
    Volume,
)
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

DEMO = "me/demo"
CARD = b"---\ntitle: Demo\nsdk: gradio\n---\n"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A Hub where "me" may have everything."""
    with reachable(), Hub() as hub:
        hub.user("me", pro=True, can_pay=True)
        yield hub


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token("me"))


def add(path: str, content: bytes = b"x") -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def commit(api: HfApi, *operations: Any, repo: str = DEMO, **more: Any) -> Any:
    return api.create_commit(
        repo, list(operations), commit_message="A change", repo_type="space", **more
    )


def create(api: HfApi, repo: str = DEMO, sdk: str = "gradio", **more: Any) -> Any:
    return api.create_repo(repo, repo_type="space", space_sdk=sdk, **more)


def asked(hub: Hub, method: str, end: str) -> list[Any]:
    """The requests whose path ends so."""
    return [one for one in hub.requests if one.method == method and one.path.endswith(end)]


def child(hub: Hub, home: Path, code: str, **variables: str) -> str:
    """What a child process prints, which has an `api` for the token of "me"."""
    prelude = "from huggingface_hub import *\napi = HfApi()\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + code],
        env=environment(hub.url, hub.token("me"), home, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("role", ["read", "write", "fineGrained"])
def test_whoami_says_what_an_account_and_its_token_are(hub: Hub, role: Any) -> None:
    hub.org("team", plan="team", members={"me": "contributor"})
    hub.org("others", members={"you": "admin"})
    token = hub.token("me", role=role, name="laptop", scopes={"team": ["repo.write"]})
    said = HfApi(endpoint=hub.url, token=token).whoami()
    assert (said["name"], said["isPro"], said["canPay"]) == ("me", True, True)
    (org,) = said["orgs"]
    assert (org["name"], org["roleInOrg"], org["plan"]) == ("team", "contributor", "team")
    access = said["auth"]["accessToken"]
    assert (access["displayName"], access["role"]) == ("laptop", role)
    if role == "fineGrained":
        (scope,) = access["fineGrained"]["scoped"]
        assert (scope["entity"]["name"], scope["permissions"]) == ("team", ["repo.write"])
    assert hub.requests[-1].token == "laptop"
    assert hub.writes == []


def test_a_token_that_is_no_more(hub: Hub) -> None:
    hub.add_space(DEMO)
    token = hub.token("me")
    hub.revoke(token)
    api = HfApi(endpoint=hub.url, token=token)
    with pytest.raises(HfHubHTTPError, match=r"Invalid user token\."):
        api.whoami()
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as caught:
        api.space_info(DEMO)
    assert not isinstance(caught.value, RepositoryNotFoundError)
    assert caught.value.response.status_code == 401


def test_a_space_is_created_with_all_its_settings_in_one_call(hub: Hub, api: HfApi) -> None:
    create(
        api,
        private=True,
        space_hardware="t4-small",
        space_sleep_time=3600,
        space_secrets=[{"key": "KEY", "value": "hidden", "description": "of the service"}],
        space_variables=[{"key": "MODE", "value": "fast"}],
        space_volumes=[Volume(type="bucket", source="me/data", mount_path="/data")],
    )
    space = hub.space(DEMO)
    assert space.visibility == "private"
    assert (space.hardware, space.requested_hardware) == (None, "t4-small")
    assert space.sleep_time == 3600
    assert space.secrets == {"KEY": "hidden"}
    assert space.variables == {"MODE": "fast"}
    assert space.volumes == [{"type": "bucket", "source": "me/data", "mountPath": "/data"}]
    assert set(space.files()) == {".gitattributes", "README.md"}
    assert (space.builds, space.restarts, len(space.commits)) == (0, 0, 1)
    assert [one.path for one in hub.writes] == ["/api/repos/create"]
    secret = api.get_space_secrets(DEMO)["KEY"]
    assert secret.description == "of the service"
    assert "hidden" not in repr(vars(secret))
    assert api.get_space_variables(DEMO)["MODE"].value == "fast"
    runtime = api.get_space_runtime(DEMO)
    assert (runtime.stage, runtime.hardware, runtime.sleep_time) == ("NO_APP_FILE", None, 3600)
    assert runtime.volumes == [Volume(type="bucket", source="me/data", mount_path="/data")]


def test_a_space_that_exists_ignores_the_settings_of_another_creation(hub: Hub, api: HfApi) -> None:
    url = create(api)
    assert url.repo_id == DEMO
    with pytest.raises(HfHubHTTPError, match="already created") as caught:
        create(api)
    assert caught.value.response.status_code == 409
    assert create(api, exist_ok=True, space_hardware="t4-small") == url
    assert hub.space(DEMO).requested_hardware == "cpu-basic"


def test_six_hundred_files_are_one_commit_and_one_build(hub: Hub, api: HfApi) -> None:
    create(api)
    files = {f"folder{number % 7}/{number}.txt": f"{number}".encode() for number in range(600)}
    done = commit(api, *(add(path, content) for path, content in files.items()))
    space = hub.space(DEMO)
    assert space.sha == done.oid
    assert done.commit_url == f"{hub.url}/spaces/{DEMO}/commit/{done.oid}"
    assert files.items() <= space.files().items()
    assert (space.builds, len(space.commits)) == (1, 2)
    assert len(asked(hub, "POST", "/preupload/main")) == 3
    assert len(asked(hub, "POST", "/commit/main")) == 1
    first, last = space.commits
    assert (last.parent, last.author, last.title) == (first.sha, "me", "A change")
    assert len(last.tree) == 602


def test_the_folder_upload_of_the_client_makes_more_than_one_build(
    hub: Hub, api: HfApi, tmp_path: Path
) -> None:
    for number in range(300):
        (tmp_path / f"{number}.txt").write_text("x")
    create(api)
    api.upload_folder(repo_id=DEMO, folder_path=tmp_path, repo_type="space")
    assert hub.space(DEMO).builds == 2


def test_a_commit_is_made_wholly_or_not_at_all(hub: Hub, api: HfApi) -> None:
    create(api)
    commit(api, add("app.py"), add("old/a.txt"), add("old/b.txt"))
    space = hub.space(DEMO)
    sha, files = space.sha, space.files()
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        commit(api, add("app.py", b"new"), CommitOperationDelete("nowhere.txt"))
    with pytest.raises(RemoteEntryNotFoundError):
        commit(api, add("app.py", b"new"), CommitOperationDelete("nowhere/"))
    assert (space.sha, space.files()) == (sha, files)
    commit(api, add("app.py", b"new"), CommitOperationDelete("old/"), parent_commit=sha)
    assert space.files()["app.py"] == b"new"
    assert not [path for path in space.files() if path.startswith("old/")]


def test_a_commit_on_what_is_no_longer_the_newest_is_refused(hub: Hub, api: HfApi) -> None:
    create(api)
    space = hub.space(DEMO)
    read = space.sha
    hub.someone_commits(DEMO, {"app.py": b"theirs"}, before=("POST", "/commit/"))
    with pytest.raises(HfHubHTTPError, match="updated since") as caught:
        commit(api, add("app.py", b"mine"), parent_commit=read)
    assert caught.value.response.status_code == 412
    assert space.files()["app.py"] == b"theirs"
    assert space.commits[-1].author == "other"
    # Once only; and its first characters name a commit.
    commit(api, add("app.py", b"mine"), parent_commit=space.sha[:7])
    assert space.files()["app.py"] == b"mine"
    assert [one.author for one in space.commits] == ["me", "other", "me"]


def test_what_happens_before_a_request_may_ask_the_hub_itself(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO)
    seen = []
    hub.before("POST", "/commit/", lambda: seen.append(api.space_info(DEMO).sha), skip=1)
    for name in ("a.txt", "b.txt", "c.txt"):
        commit(api, add(name))
    assert seen == [space.commits[1].sha]


def test_someone_deletes_a_file(hub: Hub) -> None:
    space = hub.add_space(DEMO, {"app.py": b"x", "notes.txt": b"y"})
    made = hub.someone_commits(DEMO, {"notes.txt": None}, author="her", title="Tidied")
    assert made is not None
    assert "notes.txt" not in space.files()
    assert (space.sha, made.author, made.title) == (made.sha, "her", "Tidied")


def test_what_has_not_changed_is_not_sent(hub: Hub, api: HfApi) -> None:
    create(api)
    commit(api, add("a.txt"), add("b.txt"), add("c.txt"))
    commit(api, add("a.txt"), add("b.txt", b"new"), add("c.txt"))
    sent = asked(hub, "POST", "/commit/main")
    keys = [json.loads(line)["value"].get("path") for line in sent[-1].body.splitlines()]
    assert keys == [None, "b.txt"]
    done = commit(api, add("a.txt"), add("b.txt", b"new"))
    assert asked(hub, "POST", "/commit/main") == sent
    assert done.oid == hub.space(DEMO).sha
    assert hub.space(DEMO).builds == 2


def test_what_gitignore_names_is_left_out(hub: Hub, api: HfApi) -> None:
    create(api)
    commit(api, add(".gitignore", b"*.log\n!keep.log\n"), add("a.log"), add("keep.log"))
    assert {"keep.log", ".gitignore"} <= set(hub.space(DEMO).files())
    assert "a.log" not in hub.space(DEMO).files()
    commit(api, add("b.log"), add("b.txt"))  # by the one that is there
    assert "b.log" not in hub.space(DEMO).files()


UPLOAD = """
with open("large.txt", "wb") as file:
    file.write(b"line\\n" * 2_200_000)
done = api.create_commit("me/demo", repo_type="space", commit_message="Large files", operations=[
    CommitOperationAdd("picture", b"\\0" * 1000),
    CommitOperationAdd("model.bin", b"by its name"),
    CommitOperationAdd("empty.bin", b""),
    CommitOperationAdd("large.txt", "large.txt"),
    CommitOperationAdd("small.txt", b"small"),
])
print(done.oid)
"""


@pytest.mark.parametrize("xet", [True, False])
def test_large_files(xet: bool, hub: Hub, api: HfApi, tmp_path: Path) -> None:
    """By size, content or name; with Xet and without, and each of them only once."""
    create(api)
    switch = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    code = f"import os\nos.chdir({str(tmp_path)!r})\n{UPLOAD}"
    space = hub.space(DEMO)
    assert child(hub, tmp_path / "home", code, **switch).strip() == space.sha
    files = space.files()
    assert files["picture"] == b"\0" * 1000
    assert files["model.bin"] == b"by its name"
    assert files["large.txt"] == b"line\n" * 2_200_000
    assert files["small.txt"] == b"small"
    assert files["empty.bin"] == b""
    tree = space.commits[-1].tree
    large = {path for path, blob in tree.items() if blob.lfs}
    assert large == {"picture", "model.bin", "large.txt"}
    assert tree["picture"].data.startswith(b"version https://git-lfs.github.com/spec/v1\n")
    uploads = [one for one in hub.writes if one.method == "PUT"]
    assert len(uploads) == (0 if xet else 3)
    assert bool([one for one in hub.requests if "/xet-write-token/" in one.path]) is xet
    (entry,) = api.get_paths_info(DEMO, "picture", repo_type="space")
    assert entry.lfs.size == entry.size == 1000
    assert entry.blob_id == tree["picture"].oid
    child(hub, tmp_path / "home", code, **switch)
    assert [one for one in hub.writes if one.method == "PUT"] == uploads
    assert len(space.commits) == 2


def test_a_large_file_that_nobody_uploaded(hub: Hub, api: HfApi) -> None:
    create(api)
    oid = "0" * 64
    lines = [
        {"key": "header", "value": {"summary": "Pointer only"}},
        {"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": oid, "size": 1}},
    ]
    answer = post(api, f"/api/spaces/{DEMO}/commit/main", *lines)
    assert answer.status_code == 400
    assert "does not exist" in answer.json()["error"]


def post(api: HfApi, path: str, *lines: Any) -> httpx.Response:
    """A request that the client itself would not make."""
    return httpx.post(
        f"{api.endpoint}{path}",
        content=b"\n".join(json.dumps(line).encode() for line in lines),
        headers={"Authorization": f"Bearer {api.token}"},
    )


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("../up.txt", 1, 422),
        ("/root.txt", 1, 422),
        ("a//b.txt", 1, 422),
        (".git/config", 1, 422),
        ("back\\slash", 1, 422),
        ("", 1, 422),
        ("README.md/below.txt", 1, 422),
        ("large.txt", 10 * 2**20 + 1, 413),
        ("large.txt", 10 * 2**20, 200),
    ],
)
def test_files_that_no_commit_may_have(
    path: str, size: int, status: int, hub: Hub, api: HfApi
) -> None:
    hub.add_space(DEMO)
    content = "A" * (-(-size // 3) * 4)
    if size % 3:
        content = content[: -(3 - size % 3)] + "=" * (3 - size % 3)
    lines = [
        {"key": "header", "value": {"summary": "A file"}},
        {"key": "file", "value": {"path": path, "encoding": "base64", "content": content}},
    ]
    answer = post(api, f"/api/spaces/{DEMO}/commit/main", *lines)
    assert answer.status_code == status, answer.text
    assert len(hub.space(DEMO).commits) == (2 if status == 200 else 1)


def test_a_pull_request_starts_from_the_commit_it_names(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO, {"app.py": b"old", "notes.txt": b"old"})
    read = space.sha
    hub.someone_commits(DEMO, {"notes.txt": b"theirs"})
    done = commit(api, add("app.py", b"mine"), create_pr=True, parent_commit=read)
    assert done.pr_revision == "refs/pr/1"
    assert done.pr_url == f"{hub.url}/spaces/{DEMO}/discussions/1"
    assert space.files("refs/pr/1")["app.py"] == b"mine"
    assert space.files("refs/pr/1")["notes.txt"] == b"old"
    assert space.files()["app.py"] == b"old"
    (opened,) = space.pull_requests
    assert (opened.base, opened.status, opened.title) == (read, "open", "A change")
    builds = space.builds
    commit(api, add("more.txt"), revision="refs/pr/1")
    assert space.builds == builds
    shown = api.get_discussion_details(DEMO, 1, repo_type="space")
    assert [event.type for event in shown.events] == ["comment", "commit", "commit"]
    assert (shown.status, shown.conflicting_files) == ("open", [])
    api.merge_pull_request(DEMO, 1, repo_type="space")
    assert space.files().items() >= {
        "app.py": b"mine", "notes.txt": b"theirs", "more.txt": b"x"
    }.items()  # fmt: skip
    assert (space.builds, opened.status) == (builds + 1, "merged")


def test_a_pull_request_that_conflicts_is_not_merged(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO, {"app.py": b"old"})
    commit(api, add("app.py", b"mine"), create_pr=True)
    hub.someone_commits(DEMO, {"app.py": b"theirs"})
    shown = api.get_discussion_details(DEMO, 1, repo_type="space")
    assert shown.conflicting_files == ["app.py"]
    with pytest.raises(HfHubHTTPError, match=r"Conflicts in app\.py"):
        api.merge_pull_request(DEMO, 1, repo_type="space")
    assert space.files()["app.py"] == b"theirs"
    api.change_discussion_status(DEMO, 1, "closed", repo_type="space")
    assert space.pull_requests[0].status == "closed"
    assert list(api.get_repo_discussions(DEMO, repo_type="space", discussion_status="open")) == []


def test_a_stranger_may_open_a_pull_request_and_nothing_else(hub: Hub) -> None:
    space = hub.add_space(DEMO)
    stranger = HfApi(endpoint=hub.url, token=hub.token("you"))
    with pytest.raises(HfHubHTTPError, match="create_pr=1") as caught:
        commit(stranger, add("app.py"))
    assert caught.value.response.status_code == 403
    commit(stranger, add("app.py"), create_pr=True)
    commit(stranger, add("b.py"), revision="refs/pr/1")
    assert space.pull_requests[0].author == "you"
    assert {"app.py", "b.py"} <= set(space.files("refs/pr/1"))
    with pytest.raises(HfHubHTTPError):
        stranger.merge_pull_request(DEMO, 1, repo_type="space")
    assert len(space.commits) == 1


@pytest.mark.parametrize(
    ("how", "error", "commits"),
    [
        ({"status": 503}, HfHubHTTPError, 1),
        ({"status": 502, "when": "after"}, HfHubHTTPError, 2),
        ({"drop": True}, httpx.RemoteProtocolError, 1),
        ({"drop": True, "when": "after"}, httpx.RemoteProtocolError, 2),
        ({"status": 429, "headers": {"RateLimit": '"api";r=0;t=9'}}, HfHubHTTPError, 1),
    ],
)
def test_a_commit_that_fails(
    how: dict[str, Any], error: type[Exception], commits: int, hub: Hub, api: HfApi
) -> None:
    create(api)
    fault = hub.fail("POST", "/commit/", **how)
    with pytest.raises(error) as caught:
        commit(api, add("app.py"))
    assert fault.hits == 1
    assert len(hub.space(DEMO).commits) == commits
    assert hub.space(DEMO).builds == commits - 1
    assert hub.writes[-1].status == (0 if how.get("drop") else how["status"])
    if how.get("status") == 429:
        assert "reached your 'api' rate limit" in str(caught.value)
    commit(api, add("app.py", b"again"))
    assert hub.space(DEMO).files()["app.py"] == b"again"


def test_faults_pass_some_requests_strike_some_and_can_be_called_off(hub: Hub, api: HfApi) -> None:
    hub.add_space(DEMO)
    hub.fail("GET", "/runtime$", status=500, skip=1, times=2, error="Out of order")
    answers = []
    for _ in range(4):
        try:
            answers.append(api.get_space_runtime(DEMO).stage)
        except HfHubHTTPError as error:
            answers.append(error.server_message)
    assert answers == ["RUNNING", "Out of order", "Out of order", "RUNNING"]
    hub.fail("*", "/runtime$", times=None)
    for _ in range(3):
        with pytest.raises(HfHubHTTPError):
            api.get_space_runtime(DEMO)
    hub.works_again()
    api.get_space_runtime(DEMO)


def test_the_client_waits_where_it_retries(hub: Hub, api: HfApi) -> None:
    create(api)
    hub.fail("POST", "/preupload/", status=429, headers={"Retry-After": "0"})
    commit(api, add("app.py"))
    assert [one.status for one in asked(hub, "POST", "/preupload/main")] == [429, 200]
    assert hub.space(DEMO).builds == 1


def test_a_slow_answer_is_an_answer(hub: Hub, api: HfApi) -> None:
    hub.add_space(DEMO)
    hub.fail("GET", "/runtime$", status=None, delay=0.3)
    started = time.monotonic()
    assert api.get_space_runtime(DEMO).stage == "RUNNING"
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_every_single_request(when: str, hub: Hub, api: HfApi) -> None:
    """Each request of a publication fails once; whatever fails, nothing is done by halves."""

    def publish() -> None:
        create(api, exist_ok=True)
        sha = api.space_info(DEMO).sha
        files = [add("README.md", CARD), add("app.py")]
        commit(api, *files, parent_commit=sha)

    number = 1
    while True:
        hub.repos.clear()
        before = len(hub.requests)
        fault = hub.fail_nth(number, status=400, when=when)
        try:
            publish()
        except (HfHubHTTPError, ValueError):
            assert hub.requests[-1].status == 400
        if not fault.hits:
            break
        assert len(hub.requests) - before == number
        builds = hub.space(DEMO).builds if hub.has_space(DEMO) else 0
        assert builds == int(number == 5 and when == "after")
        number += 1
    assert number == 6  # create, info, validate, preupload, commit
    assert hub.space(DEMO).builds == 1


def test_creation_waits_for_another_operation(hub: Hub, api: HfApi) -> None:
    hub.busy(times=3)
    create(api)
    assert [one.status for one in hub.writes] == [409, 409, 409, 200]


Do = Callable[[HfApi], Any]
REFUSED: list[tuple[str, Do, int, str]] = [
    ("free", lambda api: create(api, "free/a"), 402, "PRO subscription"),
    ("free", lambda api: create(api, "free/a", "docker"), 402, "PRO subscription"),
    ("free", lambda api: create(api, "free/a", space_hardware="t4-small"), 402, "payment"),
    ("free", lambda api: api.duplicate_repo(DEMO, "free/a", repo_type="space"), 402, "PRO"),
    ("free", lambda api: api.request_space_hardware("free/zero", "cpu-basic"), 402, "PRO"),
    ("free", lambda api: create(api, "me/a"), 403, "under the namespace"),
    ("free", lambda api: api.add_space_variable(DEMO, "A", "b"), 403, "permissions"),
    ("free", lambda api: list(api.fetch_space_logs(DEMO)), 403, "permissions"),
    ("free", lambda api: api.get_space_secrets(DEMO), 403, "permissions"),
    ("free", lambda api: api.space_info("me/hidden"), 404, "Repository"),
    ("free", lambda api: commit(api, add("a"), repo="me/hidden"), 404, "Repository"),
    ("nobody", lambda api: api.space_info("me/hidden"), 401, "Repository"),
    ("nobody", lambda api: commit(api, add("a")), 401, "Repository"),
    ("nobody", lambda api: create(api, "me/a"), 401, "Invalid username"),
    ("read", lambda api: create(api, "me/a"), 403, "under the namespace"),
    ("read", lambda api: commit(api, add("a")), 403, "create_pr=1"),
    ("read", lambda api: commit(api, add("a"), create_pr=True), 403, "permissions"),
    ("read", lambda api: api.restart_space(DEMO), 403, "permissions"),
    ("fine", lambda api: create(api, "me/a"), 403, "under the namespace"),
    ("fine", lambda api: commit(api, add("a"), repo="me/hidden"), 403, "create_pr=1"),
    ("reader", lambda api: create(api, "team/a"), 403, "under the namespace"),
    ("reader", lambda api: commit(api, add("a"), repo="team/hidden"), 403, "create_pr=1"),
    ("helper", lambda api: commit(api, add("a"), repo="team/hidden"), 403, "create_pr=1"),
    ("helper", lambda api: create(api, "poor/a"), 402, "plan for organization poor"),
    ("me", lambda api: create(api, "me/a", space_hardware="t5"), 400, "flavor"),
    ("me", lambda api: api.request_space_hardware(DEMO, "t5"), 400, "flavor"),
    ("me", lambda api: api.set_space_sleep_time(DEMO, 60), 400, "sleep time"),
    ("me", lambda api: create(api, "me/a", space_sleep_time=60), 400, "sleep time"),
    ("me", lambda api: create(api, "me/a", "docker", space_hardware="zero-a10g"), 400, "Gradio"),
    ("me", lambda api: api.add_space_secret(DEMO, "A B", "c"), 400, "key"),
    ("me", lambda api: api.delete_repo("me/nowhere", repo_type="space"), 404, "Repository"),
    ("me", lambda api: api.space_info(DEMO, revision="v9"), 404, "Revision"),
    ("me", lambda api: commit(api, add("a"), revision="v9"), 404, "Revision"),
    ("me", lambda api: api.merge_pull_request(DEMO, 9, repo_type="space"), 404, "not found"),
    ("me", lambda api: api.create_branch(DEMO, branch="main", repo_type="space"), 409, "exists"),
]


@pytest.mark.parametrize(("who", "what", "status", "words"), REFUSED)
def test_what_is_refused(who: str, what: Do, status: int, words: str, hub: Hub) -> None:
    hub.user("free")
    hub.org("team", plan="team", members={"reader": "read", "helper": "contributor"})
    hub.org("poor", can_pay=True, members={"helper": "write"})
    for repo, visibility in (
        (DEMO, "public"),
        ("me/hidden", "private"),
        ("team/hidden", "private"),
    ):
        hub.add_space(repo, visibility=visibility)
    hub.add_space("free/zero", hardware="zero-a10g")
    scopes = {DEMO: ["repo.write"]}
    tokens: dict[str, str | bool] = {
        "nobody": False,
        "read": hub.token("me", role="read"),
        "fine": hub.token("me", role="fineGrained", scopes=scopes),
    }
    token = tokens[who] if who in tokens else hub.token(who)
    state = {repo.id: (repo.sha, repo.visibility) for repo in hub.spaces}
    with pytest.raises(HfHubHTTPError) as caught:
        what(HfApi(endpoint=hub.url, token=token))
    assert caught.value.response.status_code == status, caught.value
    assert words in str(caught.value)
    assert isinstance(caught.value, BadRequestError) == (status == 400)
    assert isinstance(caught.value, RepositoryNotFoundError) == (words == "Repository")
    assert isinstance(caught.value, RevisionNotFoundError) == (words == "Revision")
    assert {repo.id: (repo.sha, repo.visibility) for repo in hub.spaces} == state
    assert all(space.restarts == 0 for space in hub.spaces)


def test_what_is_granted_all_the_same(hub: Hub) -> None:
    """The other side of some refusals, lest everything be refused."""
    hub.org("team", plan="team", members={"reader": "read", "helper": "contributor"})
    hub.add_space(DEMO)
    hub.add_space("team/hidden", visibility="private")
    free = HfApi(endpoint=hub.url, token=hub.token("free"))
    create(free, "free/static", "static")
    create(free, "free/zero", space_hardware="zero-a10g")
    hub.add_space("free/old")
    free.request_space_hardware("free/old", "cpu-basic")  # it is there already
    reader = HfApi(endpoint=hub.url, token=hub.token("reader"))
    assert reader.space_info("team/hidden").private
    helper = HfApi(endpoint=hub.url, token=hub.token("helper"))
    create(helper, "team/own")
    commit(helper, add("a"), repo="team/own")
    token = hub.token("me", role="fineGrained", scopes={DEMO: ["repo.write"]})
    fine = HfApi(endpoint=hub.url, token=token)
    commit(fine, add("a"))
    nobody = HfApi(endpoint=hub.url, token=False)
    assert nobody.space_info(DEMO).sdk == "gradio"


def test_spaces_are_listed_with_the_hardware_for_those_who_may_see_them(hub: Hub) -> None:
    for number in range(5):
        hub.add_space(f"free/{number}", hardware="t4-small")
    hub.add_space("free/hidden", hardware="zero-a10g", visibility="private")
    hub.add_space("freedom/other")
    hub.page_size = 2
    for user, count in (("free", 6), ("me", 5)):
        api = HfApi(endpoint=hub.url, token=hub.token(user))
        listed = list(api.list_spaces(author="free", expand=["runtime"]))
        assert len(listed) == count
        assert listed[0].runtime is not None
        assert listed[0].runtime.requested_hardware == "t4-small"
        assert all(one.runtime is None for one in api.list_spaces(author="free"))


@pytest.mark.parametrize(("owner", "most"), [("free", 2), ("me", 10), ("team", 50)])
def test_only_so_many_zero_gpu_spaces(owner: str, most: int, hub: Hub) -> None:
    hub.org("team", plan="team", members={"me": "admin"})
    for number in range(most):
        hub.add_space(f"{owner}/{number}", hardware="zero-a10g")
    user = "me" if owner == "team" else owner
    api = HfApi(endpoint=hub.url, token=hub.token(user))
    with pytest.raises(HfHubHTTPError, match=f"limit of {most} ZeroGPU") as caught:
        create(api, f"{owner}/more", space_hardware="zero-a10g")
    assert caught.value.response.status_code == 403
    api.delete_repo(f"{owner}/0", repo_type="space")
    create(api, f"{owner}/more", space_hardware="zero-a10g")


def test_paid_hardware_without_a_card_may_also_be_403(hub: Hub) -> None:
    hub.no_card_status = 403
    api = HfApi(endpoint=hub.url, token=hub.token("free"))
    with pytest.raises(HfHubHTTPError, match="payment method") as caught:
        create(api, "free/a", space_hardware="l4x1")
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("sdk: gradio\nshort_description: " + "x" * 61, "60 characters"),
        ("sdk: gradio\ncolorFrom: orange", '"colorFrom" must be one of'),
        ("title: No sdk", '"sdk" is required'),
        ("sdk: gradio\ntitle: [", "Invalid YAML"),
        ("sdk: flask", '"sdk" must be one of'),
        ("sdk: gradio\npinned: perhaps", '"pinned" must be a boolean'),
        ("sdk: gradio\nsuggested_hardware: t5", '"suggested_hardware"'),
    ],
)
def test_a_card_that_is_refused_stops_everything(
    card: str, words: str, hub: Hub, api: HfApi
) -> None:
    create(api)
    with pytest.raises(ValueError, match=r"Invalid metadata in README\.md") as caught:
        commit(api, add("README.md", f"---\n{card}\n---\n".encode()), add("app.py"))
    assert words in str(caught.value)
    assert [one.path for one in hub.writes] == ["/api/repos/create"]


def test_a_card_without_front_matter_is_a_warning(hub: Hub, api: HfApi) -> None:
    create(api)
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        commit(api, add("README.md", b"# Hello\n"))
    assert hub.space(DEMO).files()["README.md"] == b"# Hello\n"


def test_stages_go_by_as_the_runtime_is_looked_at(hub: Hub, api: HfApi) -> None:
    create(api)
    commit(api, add("app.py"))
    seen = [api.get_space_runtime(DEMO) for _ in range(4)]
    assert [one.stage for one in seen] == ["BUILDING", "APP_STARTING", "RUNNING", "RUNNING"]
    assert [one.hardware for one in seen] == [None, None, "cpu-basic", "cpu-basic"]
    assert seen[0].requested_hardware == "cpu-basic"
    assert seen[0].sleep_time == 48 * 3600


def test_a_build_that_fails_says_why(hub: Hub, api: HfApi) -> None:
    create(api)
    space = hub.space(DEMO)
    space.script = ["BUILDING", "BUILD_ERROR"]
    space.error_message = "Job failed with exit code: 1"
    space.build_log = ["Collecting gradio", "ERROR: ResolutionImpossible"]
    commit(api, add("app.py"))
    runtime = api.wait_for_space(DEMO, poll_interval=0.01)
    assert (runtime.stage, runtime.hardware) == ("BUILD_ERROR", None)
    assert runtime.raw["errorMessage"] == "Job failed with exit code: 1"
    log = list(api.fetch_space_logs(DEMO, build=True))
    assert log == ["Collecting gradio\n", "ERROR: ResolutionImpossible\n"]
    assert list(api.fetch_space_logs(DEMO)) == []
    space.script = ["RUNNING", "BUILDING", "RUNNING"]  # the old app is shown for a while
    commit(api, add("app.py", b"mended"))
    seen = [api.get_space_runtime(DEMO) for _ in range(3)]
    assert [one.stage for one in seen] == space.script
    assert [one.hardware for one in seen] == [None, None, "cpu-basic"]


def test_a_log_is_followed_while_it_grows(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO)
    space.run_log = ["one"]
    space.log_open = 0.5
    lines = []
    for line in api.fetch_space_logs(DEMO, follow=True):
        lines.append(line)
        if line == "one\n":
            space.run_log += ["two", "three"]
    assert lines == ["one\n", "two\n", "three\n"]


CHANGES: list[Do] = [
    lambda api: api.add_space_secret(DEMO, "KEY", "value"),
    lambda api: api.delete_space_secret(DEMO, "OLD_SECRET"),
    lambda api: api.add_space_variable(DEMO, "MODE", "fast"),
    lambda api: api.delete_space_variable(DEMO, "OLD"),
    lambda api: api.request_space_hardware(DEMO, "t4-small"),
    lambda api: api.set_space_volumes(
        DEMO, [Volume(type="model", source="me/model", mount_path="/model")]
    ),
    lambda api: api.delete_space_volumes(DEMO),
    lambda api: api.restart_space(DEMO),
]


def test_each_change_of_a_setting_is_a_restart(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO)
    space.secrets["OLD_SECRET"] = space.variables["OLD"] = "x"
    for number, change in enumerate(CHANGES, 1):
        change(api)
        assert space.restarts == number
        assert space.stage == "APP_STARTING"
        assert api.wait_for_space(DEMO, poll_interval=0.01).stage == "RUNNING"
    assert (space.secrets, space.variables) == ({"KEY": "value"}, {"MODE": "fast"})
    assert (space.builds, len(hub.writes)) == (1, len(CHANGES))
    api.restart_space(DEMO, factory_reboot=True)
    assert (space.builds, space.stage) == (2, "BUILDING")
    api.pause_space(DEMO)
    api.add_space_variable(DEMO, "MODE", "slow")
    assert api.get_space_runtime(DEMO).stage == "PAUSED"


def test_hardware_changes_when_the_space_runs_again(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO)
    answer = api.request_space_hardware(DEMO, "l4x1", sleep_time=600)
    assert (answer.hardware, answer.requested_hardware) == ("cpu-basic", "l4x1")
    assert api.wait_for_space(DEMO, poll_interval=0.01).hardware == "l4x1"
    assert (space.hardware, space.sleep_time) == ("l4x1", 600)
    api.set_space_sleep_time(DEMO, -1)
    assert (space.sleep_time, space.restarts) == (-1, 1)
    api.request_space_hardware(DEMO, "cpu-basic")
    assert api.get_space_runtime(DEMO).sleep_time == 48 * 3600


def test_a_name_that_is_a_variable_and_a_secret_stops_the_space(hub: Hub, api: HfApi) -> None:
    hub.add_space(DEMO)
    api.add_space_variable(DEMO, "KEY", "a")
    api.add_space_secret(DEMO, "KEY", "b")
    runtime = api.get_space_runtime(DEMO)
    assert runtime.stage == "CONFIG_ERROR"
    assert "Collision" in runtime.raw["errorMessage"]


def test_reading_what_is_there(hub: Hub, api: HfApi, tmp_path: Path) -> None:
    hub.page_size = 2
    space = hub.add_space(DEMO, {"app.py": b"code", "lib/a.py": b"a", "lib/deep/b.py": b"bb"})
    first = space.sha
    hub.someone_commits(DEMO, {"app.py": b"newer"}, title="Second")
    hub.someone_commits(DEMO, {"c.py": b"c"}, title="Third")
    assert set(api.list_repo_files(DEMO, repo_type="space")) == set(space.files())
    top = {one.path for one in api.list_repo_tree(DEMO, repo_type="space")}
    assert top == {".gitattributes", "README.md", "app.py", "c.py", "lib"}
    below = [one.path for one in api.list_repo_tree(DEMO, "lib", repo_type="space")]
    assert below == ["lib/a.py", "lib/deep"]
    infos = api.get_paths_info(DEMO, ["lib", "app.py", "nowhere"], repo_type="space")
    assert [one.path for one in infos] == ["lib", "app.py"]
    assert infos[1].blob_id == space.commits[-1].tree["app.py"].oid
    history = api.list_repo_commits(DEMO, repo_type="space")
    assert [one.title for one in history] == ["Third", "Second", "initial commit"]
    assert history[0].authors == ["other"]
    info = api.space_info(DEMO, files_metadata=True)
    assert (info.sha, info.runtime.stage, info.card_data.sdk) == (space.sha, "BUILDING", "gradio")
    sizes = {one.rfilename: one.size for one in info.siblings}
    assert (sizes["app.py"], sizes["lib/deep/b.py"]) == (5, 2)
    assert api.space_info(DEMO, revision=first).sha == first
    path = api.hf_hub_download(
        DEMO, "lib/deep/b.py", repo_type="space", revision=first, local_dir=tmp_path
    )
    assert Path(path).read_bytes() == b"bb"
    assert api.file_exists(DEMO, "app.py", repo_type="space")
    assert not api.file_exists(DEMO, "nowhere.py", repo_type="space")
    api.create_tag(DEMO, tag="v1", revision=first, repo_type="space")
    api.create_branch(DEMO, branch="next", repo_type="space")
    refs = api.list_repo_refs(DEMO, repo_type="space", include_pull_requests=True)
    assert {one.name for one in refs.branches} == {"main", "next"}
    assert [(one.name, one.target_commit) for one in refs.tags] == [("v1", first)]
    builds = space.builds
    commit(api, add("d.py"), revision="next")
    assert space.builds == builds
    assert "d.py" in space.files("next")
    assert all(one.status < 400 for one in hub.requests if one.path.find("nowhere") < 0)


def test_ids_are_those_of_git(hub: Hub, tmp_path: Path) -> None:
    """git itself, given the same files, comes to the same tree and commit."""
    space = hub.add_space(DEMO, {"a.txt": b"1", "a/b/c.txt": b"2", "a-b": b"3", "z/y": b"4"})
    newest = space.commits[-1]
    for path, content in space.files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    who, when = newest.author, f"{int(newest.date.timestamp())} +0000"
    identity = {"NAME": who, "EMAIL": f"{who}@users.noreply.hf.co", "DATE": when}
    variables = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        variables |= {f"GIT_{role}_{what}": value for what, value in identity.items()}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=false", *arguments]
        done = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("add", "--force", ".")
    git("-c", "commit.gpgsign=false", "commit", "-q", "-m", newest.title)
    assert git("rev-parse", "HEAD") == newest.sha


def test_a_duplicate_has_the_files_and_none_of_the_settings(hub: Hub, api: HfApi) -> None:
    source = hub.add_space("you/theirs", {"README.md": CARD, "app.py": b"x"})
    source.secrets["KEY"] = source.variables["MODE"] = "x"
    api.duplicate_repo(
        "you/theirs", DEMO, repo_type="space", space_hardware="zero-a10g", private=True,
        space_variables=[{"key": "MINE", "value": "y"}],
    )  # fmt: skip
    copy = hub.space(DEMO)
    assert copy.files()["README.md"].decode().splitlines()[3] == "duplicated_from: you/theirs"
    assert copy.files()["app.py"] == b"x"
    assert [one.sha for one in copy.commits[:-1]] == [one.sha for one in source.commits]
    assert (copy.secrets, copy.variables) == ({}, {"MINE": "y"})
    assert (copy.requested_hardware, copy.visibility, copy.builds) == ("zero-a10g", "private", 1)


def test_a_repo_is_hidden_moved_and_deleted(hub: Hub, api: HfApi) -> None:
    hub.add_space(DEMO)
    api.update_repo_settings(DEMO, private=True, repo_type="space")
    assert hub.space(DEMO).visibility == "private"
    api.move_repo(DEMO, "me/other", repo_type="space")
    assert not hub.has_space(DEMO)
    assert api.space_info("me/other").private
    api.delete_repo("me/other", repo_type="space")
    assert not api.repo_exists("me/other", repo_type="space")
    api.create_repo("me/model")
    assert api.list_repo_files("me/model") == [".gitattributes"]
    assert len(hub.writes) == 4


def test_the_hardware_list_is_the_one_the_client_knows(api: HfApi) -> None:
    listed = {one.name: one for one in api.list_spaces_hardware()}
    assert set(listed) == {flavor.value for flavor in SpaceHardware}
    t4 = listed["t4-small"]
    assert (t4.cpu, t4.ram, t4.accelerator.vram) == ("4 vCPU", "15 GB", "16 GB")
    assert round(t4.unit_cost_usd * 60, 2) == 0.4
    assert t4.unit_label == "minute"
    assert listed["cpu-basic"].accelerator is None
    assert api.get_zero_gpu_quota().base == 40 * 60


def test_the_page_of_a_model(hub: Hub, api: HfApi) -> None:
    card = b"---\nlicense: mit\npipeline_tag: fill-mask\n---\n"
    header = json.dumps({"w": {"dtype": "F16", "shape": [3, 7], "data_offsets": [0, 42]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(42)
    hub.add_model(
        "them/bert",
        {"README.md": card, "model.safetensors": weights},
        sizes={"pytorch_model.bin": 10**9},
        library_name="transformers",
        tags=["custom_code"],
        config={"model_type": "bert"},
        transformersInfo={"auto_model": "AutoModelForMaskedLM"},
        safetensors={"parameters": {"F16": 21}, "total": 21},
    )
    hub.moved["bert"] = "them/bert"
    info = api.model_info("bert", files_metadata=True)
    assert (info.id, info.pipeline_tag, info.library_name) == (
        "them/bert",
        "fill-mask",
        "transformers",
    )
    assert info.card_data is not None
    assert info.card_data.license == "mit"
    assert info.safetensors is not None
    assert info.safetensors.parameters == {"F16": 21}
    assert info.transformers_info is not None
    assert info.transformers_info.auto_model == "AutoModelForMaskedLM"
    assert (info.gated, info.tags, info.config) == (False, ["custom_code"], {"model_type": "bert"})
    sizes = {one.rfilename: one.size for one in info.siblings or []}
    assert sizes["pytorch_model.bin"] == 10**9
    assert api.get_safetensors_metadata("them/bert").parameter_count == {"F16": 21}
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("gpt")


def test_of_a_gated_model_everybody_sees_the_page_and_few_the_files(hub: Hub, api: HfApi) -> None:
    model = hub.add_model("them/gated", {"model.safetensors": b"x"}, gated="manual")
    assert api.model_info("them/gated").gated == "manual"
    stranger = HfApi(endpoint=hub.url, token=False)
    for who in (api, stranger):
        with pytest.raises(GatedRepoError, match="restricted"):
            who.get_safetensors_metadata("them/gated")
    model.granted.add("me")
    assert api.file_exists("them/gated", "model.safetensors")


def test_many_commits_at_once_all_arrive(hub: Hub, api: HfApi) -> None:
    space = hub.add_space(DEMO)
    names = [f"{number}.txt" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: commit(api, add(name)), names))
    assert set(names) <= set(space.files())
    assert len(space.commits) == 41
    assert len({one.sha for one in space.commits}) == 41


def test_the_command_line_of_the_client_finds_the_hub(hub: Hub, tmp_path: Path) -> None:
    variables = environment(hub.url, hub.token("me", name="cli"), tmp_path)
    command = [str(Path(sys.executable).parent / "hf"), "repos", "create", DEMO]
    options = ["--type", "space", "--sdk", "static", "--private"]
    subprocess.run([*command, *options], env=variables, check=True, capture_output=True)
    assert hub.space(DEMO).visibility == "private"
    assert [one.token for one in hub.writes] == ["cli"]


def test_a_request_elsewhere_is_an_error() -> None:
    with reachable(), pytest.raises(AssertionError, match="instead of the local Hub"):
        HfApi(endpoint="http://192.0.2.1:9", token=False).space_info(DEMO)


def test_a_route_that_nobody_knows_is_no_success(hub: Hub, api: HfApi) -> None:
    assert post(api, "/api/nonsense").status_code == 404
    assert not hub.requests[-1].write


def test_a_hub_that_goes_wrong_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        with reachable(), Hub() as hub:
            monkeypatch.setattr(hub.accounts, "whoami", lambda token: 1 / 0)
            with pytest.raises(HfHubHTTPError):
                HfApi(endpoint=hub.url, token=hub.token("me")).whoami()

    with pytest.raises(AssertionError, match="went wrong"):
        ask()
