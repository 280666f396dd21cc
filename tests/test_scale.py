"""The Space on Ray Serve: what is rendered, and what visitors notice when parts of it end."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from browser import visit
from gradio_client import Client, handle_file
from gradio_client.client import Job
from playwright.sync_api import Browser, expect
from ray.serve.schema import ServeDeploySchema
from ray_cluster import Cluster, ray_processes
from ray_load import LISTENS, VISITORS, Load, recording, under_load
from redis_server import Redis
from scripted import until
from space_checks import check
from space_process import free_port
from test_browser import send
from test_demo import demo
from upgrading import edited, fresh, put, run_here, succeeded, take

from spaces_gen.errors import UserError
from spaces_gen.render import render
from spaces_gen.tables import load_tiers

MODEL_TYPES = ("automatic-speech-recognition", "text-generation", "document-question-answering")
COME = {"serve_app.py", "serve_config.yaml", "Dockerfile", "kuberay.yaml"} | {
    f"serving/{name}.py" for name in ("page", "replica", "replicas", "sticky")
}
CHANGE = {"README.md", "requirements.txt", ".copier-answers.yml"}

# -- what is rendered ------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, bytes]:
    """By their paths."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("model_type", MODEL_TYPES)
@pytest.mark.parametrize("hardware", ["l4x4", "cpu-upgrade"])
def test_page_and_model_are_those_of_one_machine(
    model_type: str, hardware: str, rendered: Callable[..., Path]
) -> None:
    one = files(rendered(model_type=model_type, hardware=hardware))
    folder = rendered(model_type=model_type, hardware=hardware, scale="ray-serve")
    several = files(folder)
    assert several.keys() - one.keys() == COME
    assert {path for path in one if one[path] != several.get(path)} == CHANGE
    image = several["Dockerfile"].decode()
    assert ("packages.txt" in image) == ("packages.txt" in one)
    assert check(folder) == []


@pytest.mark.parametrize("hardware", ["l4x1", "a10g-largex4", "a100x8", "cpu-upgrade"])
def test_ray_takes_the_configurations(hardware: str, rendered: Callable[..., Path]) -> None:
    """That of a machine has a copy per card; that of a cluster as many for each of its machines."""
    space = rendered(hardware=hardware, scale="ray-serve")
    own = yaml.safe_load((space / "serve_config.yaml").read_text())
    kube = yaml.safe_load((space / "kuberay.yaml").read_text())
    group = kube["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]
    cards = load_tiers()[hardware].gpus
    for config, machines in (
        (own, 1),
        (yaml.safe_load(kube["spec"]["serveConfigV2"]), group["maxReplicas"]),
    ):
        checked = ServeDeploySchema.model_validate(config)
        model, page = checked.applications
        (deployment,) = model.deployments
        copies = machines * (cards or 1)
        assert deployment.autoscaling_config["max_replicas"] == page.args["copies"] == copies
        assert (deployment.ray_actor_options.num_gpus or 0) == (1 if cards else 0)
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits.get("nvidia.com/gpu") == (str(cards) if cards else None)


def test_zero_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ZeroGPU"):
        render({"hardware": "zero-a10g", "scale": "ray-serve"}, tmp_path / "space")
    assert not (tmp_path / "space").exists()


def test_there_and_back_the_owners_edits_stay(
    rendered: Callable[..., Path], tmp_path: Path
) -> None:
    """`spaces-gen upgrade` changes the scale as it changes the hardware."""
    before = edited(fresh(), "app.py", "num_top_classes=5", "num_top_classes=3")
    before = edited(before, "model.py", "import", "# mine\nimport")
    space = put(before, tmp_path / "space")
    succeeded(run_here("upgrade", space, "--data", "scale=ray-serve"))
    after = take(space)
    assert after.keys() - before.keys() == COME
    assert {path for path in before if before[path] != after[path]} == CHANGE
    after = edited(after, "serve_config.yaml", "downscale_delay_s: 300", "downscale_delay_s: 60")
    put(after, space)
    succeeded(run_here("upgrade", space, "--hardware", "l4x4"))
    moved = take(space)
    assert b"downscale_delay_s: 60" in moved["serve_config.yaml"]
    assert b"num_gpus: 1" in moved["serve_config.yaml"]
    put(edited(moved, "serve_config.yaml", "delay_s: 60", "delay_s: 300"), space)
    succeeded(run_here("upgrade", space, "--hardware", "cpu-basic", "--data", "scale=one-machine"))
    assert take(space) == before


@pytest.mark.timeout(400)
def test_make_demo_scale_serves_two_copies_and_leaves_nothing(tmp_path: Path) -> None:
    """On a local Ray, whose processes are all its own."""
    port = free_port()
    before = ray_processes()
    command = ["make", "demo-scale", f"PORT={port}"]
    with demo(command, port, tmp_path / "log") as url:
        client = Client(url, verbose=False)
        alike = client.predict("A man is eating.", "Somebody has lunch.", api_name="/predict")
        assert alike > 0.4
        titles = [title for title in ray_processes().values() if "model:model" in title]
        assert len(titles) >= 2
    assert not ray_processes().keys() - before.keys()


# -- what visitors notice --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def cluster(
    rendered: Callable[..., Path], redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two copies of a model that sleeps."""
    folder = tmp_path_factory.mktemp("ray")
    space = folder / "space"
    shutil.copytree(rendered(model_type=MODEL_TYPES[0], scale="ray-serve"), space)
    (space / "model.py").write_text(LISTENS, encoding="utf-8")
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ImportError('hidden')", encoding="utf-8")
    settings = {"MAX_BATCH_SIZE": "4", "CACHE_EXAMPLES": "off", "CACHE_URL": redis.url}
    with Cluster(space, (2, 2), PYTHONPATH=str(hidden), **settings) as cluster:
        yield cluster


@contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """Meanwhile visitors ask; nothing may fail."""
    visitors = under_load(cluster.url)
    visitors.start()
    try:
        until(lambda: visitors.outcomes.total() > VISITORS, "they are answered")
        yield visitors
    finally:
        visitors.end()
    assert {outcome for outcome in visitors.outcomes if not outcome.startswith("model ")} == set()


def test_files_reach_the_copies_and_bad_ones_are_told(cluster: Cluster, tmp_path: Path) -> None:
    client = Client(cluster.url, verbose=False)

    def ask(frames: int) -> Job:
        path = tmp_path / f"{frames}.wav"
        path.write_bytes(recording(frames))
        return client.submit(handle_file(str(path)), api_name="/predict")

    answers = [ask(frames) for frames in (123, 456, 789)]
    said = [one.result(timeout=60) for one in answers]
    assert said == [f"{frames} by model 1" for frames in (123, 456, 789)]
    refused = httpx.post(f"{cluster.url}/api/predict", json={}, timeout=60)
    assert refused.status_code == 422
    counted = httpx.get(f"{cluster.url}/metrics", timeout=60).text
    assert "space_batch_size_sum 3.0" in counted
    assert "space_queue_wait_seconds_count 3.0" in counted


def test_a_copy_that_is_killed_under_load_is_not_noticed(cluster: Cluster) -> None:
    with load(cluster) as visitors:
        first = cluster.processes("model")[0]
        first.kill()
        until(lambda: first.pid not in {one.pid for one in cluster.processes("model")}, "it ends")
        until(lambda: cluster.running() == 2, "there is another one")
        done = visitors.outcomes.total()
        until(lambda: visitors.outcomes.total() > done + VISITORS, "they are answered on")


def test_another_model_takes_over_under_load(cluster: Cluster, tmp_path: Path) -> None:
    """No request fails, and nobody is given what the one before had answered."""
    kept = tmp_path / "kept.wav"
    kept.write_bytes(recording(77))
    client = Client(cluster.url, verbose=False)
    assert client.predict(handle_file(str(kept)), api_name="/predict") == "77 by model 1"
    code = (cluster.folder / "model.py").read_text(encoding="utf-8")
    with load(cluster) as visitors:
        changed = code.replace("VERSION = 1", "VERSION = 2")
        (cluster.folder / "model.py").write_text(changed, encoding="utf-8")
        cluster.model["runtime_env"]["env_vars"]["VERSION"] = "2"
        cluster.deploy()
        before = visitors.outcomes["model 2"]
        until(lambda: visitors.outcomes["model 2"] > before + VISITORS, "it answers")
    assert visitors.outcomes["model 1"]
    until(
        lambda: client.predict(handle_file(str(kept)), api_name="/predict") == "77 by model 2",
        "what was kept of the other one is not given any more",
    )


def test_copies_come_with_the_load_and_go_after_it(cluster: Cluster) -> None:
    scaling = {"min_replicas": 1, "target_ongoing_requests": 2, "look_back_period_s": 2}
    cluster.scaling |= {**scaling, "max_replicas": 3, "upscale_delay_s": 1, "downscale_delay_s": 3}
    cluster.deploy()
    until(lambda: cluster.running() == 1, "one is enough")
    with load(cluster):
        until(lambda: cluster.running() == 3, "there are more")
    until(lambda: cluster.running() == 1, "one is enough again")


def test_of_several_pages_each_keeps_its_visitors(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(recording(321))
    (page,) = cluster.page["deployments"]
    page["num_replicas"] = 2
    cluster.deploy()

    def place(visitor: int) -> str:
        known = {"cookie": f"space_affinity=visitor-{visitor}"}
        return httpx.get(f"{cluster.url}/gradio_api/app_id", headers=known, timeout=60).text

    until(lambda: len(cluster.processes("page")) == 2, "there are two")
    until(lambda: len({place(visitor) for visitor in range(16)}) == 2, "both are asked")
    places = [place(visitor) for visitor in range(16)]
    assert [place(visitor) for visitor in range(16)] == places
    for visitor in range(8):
        headers = {"cookie": f"other=1; space_affinity=visitor-{visitor}"}
        client = Client(cluster.url, verbose=False, headers=headers)
        assert client.predict(handle_file(str(path)), api_name="/predict").startswith("321 by")
    assert "space_affinity=" in httpx.get(cluster.url, timeout=60).headers["set-cookie"]
    page["num_replicas"] = 1
    cluster.deploy()


def test_without_redis_nothing_fails(cluster: Cluster, redis: Redis) -> None:
    with load(cluster) as visitors:
        redis.signal(signal.SIGKILL)
        done = visitors.outcomes.total()
        until(lambda: visitors.outcomes.total() > done + 3 * VISITORS, "they are answered on")


def test_a_page_that_is_killed_comes_back(cluster: Cluster) -> None:
    (page,) = cluster.processes("page")
    page.kill()

    def answered() -> bool:
        sent = {"audio": ("a.wav", recording(9))}
        try:
            answer = httpx.post(f"{cluster.url}/api/predict", files=sent, timeout=10)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json()["result"].startswith("9 by")

    until(lambda: page.pid not in {one.pid for one in cluster.processes("page")}, "it ends")
    until(answered, "there is another one")


# -- a chat ----------------------------------------------------------------------------------------

SPEAKS = """
import asyncio
import os


def load():
    pass


async def stream(conversation, *options):
    answer = ""
    for word in conversation[-1]["content"].split():
        await asyncio.sleep(0.2)
        answer += f"{word}! "
        yield answer
"""


@pytest.fixture(scope="module")
def chat(
    rendered: Callable[..., Path], cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The same Ray with another Space; nothing else asks there any more."""
    cluster.stop()
    folder = tmp_path_factory.mktemp("chat")
    space = folder / "space"
    shutil.copytree(rendered(model_type="text-generation", scale="ray-serve"), space)
    (space / "model.py").write_text(SPEAKS, encoding="utf-8")
    hidden = cluster.folder.parent / "hidden"
    with Cluster(space, (2, 2), PYTHONPATH=str(hidden), CACHE_EXAMPLES="off") as chat:
        yield chat


def test_a_chat_comes_bit_by_bit(chat: Cluster) -> None:
    job = Client(chat.url, verbose=False).submit("one two three", api_name="/predict")
    assert job.result(timeout=60).strip() == "one! two! three!"
    assert {"one! ", "one! two! "} <= set(job.outputs())
    accept = {"accept": "text/event-stream"}
    asked = {"message": "four five six"}
    with httpx.stream(
        "POST", f"{chat.url}/api/predict", json=asked, headers=accept, timeout=60
    ) as answer:
        parts = [line for line in answer.iter_lines() if line]
    assert len(parts) >= 3
    assert "four! five! six!" in parts[-1]


@pytest.mark.browser
def test_a_chat_on_the_page_comes_bit_by_bit_and_is_stopped(
    browser: Browser, chat: Cluster
) -> None:
    with visit(browser, chat) as page:
        send(page, "one two three")
        expect(page.get_by_text("one! two! three!")).to_be_visible()
        send(page, " ".join(map(str, range(200))))
        expect(page.get_by_text("0! 1! 2!")).to_be_visible()
        page.locator(".stop-button").click()
        expect(page.locator(".stop-button")).not_to_be_visible()


def test_an_answer_that_had_begun_is_told_when_its_copy_ends(chat: Cluster) -> None:
    """What has been shown cannot be taken back, so it is not asked again."""
    jobs = [
        Client(chat.url, verbose=False).submit(" ".join("ab" * 20), api_name="/predict")
        for _ in range(2)
    ]
    until(lambda: all(len(job.outputs()) > 1 for job in jobs), "both have begun")
    chat.processes("model")[0].kill()
    told = [str(job.exception(timeout=60) or "") for job in jobs]
    assert any("is being restarted" in one for one in told), told
    until(lambda: chat.running() == 2, "there is another copy")
