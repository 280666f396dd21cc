"""Every model type on every tier renders to a Space that is clean enough to publish."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from space_checks import check
from upgrading import fresh

from spaces_gen.estimate import ESTIMATES, bounds, tuning_values
from spaces_gen.tables import ModelType, Tier, load_model_types, load_tiers

ROOT = Path(__file__).parent.parent
MODEL_TYPES = load_model_types()
OF_EACH_KIND = ("cpu-basic", "zero-a10g", "t4-small", "a100x8")
OF_THE_TIER = {"tuning.py", "requirements.txt", "README.md", ".copier-answers.yml"}

HEAVY = "torch.*,transformers.*,diffusers.*,pandas.*,sklearn.*"

Tree = dict[str, bytes]


def tree(folder: Path) -> Tree:
    """Every file of a folder by its path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def trees() -> Callable[[str, str], Tree]:
    """Renders a model type for a tier, once for all tests."""
    return lambda model_type, hardware: fresh(model_type=model_type, hardware=hardware)


@pytest.fixture(params=MODEL_TYPES.values(), ids=lambda row: row.key)
def model_type(request: pytest.FixtureRequest) -> ModelType:
    row: ModelType = request.param
    return row


def fitting(model_type: ModelType) -> list[Tier]:
    """The tiers that hold the default model: all of one type, of the others one of each kind.

    The files of a tier differ in values only.
    """
    steps = json.loads((ESTIMATES / f"{model_type.key}.json").read_text())
    return [
        tier
        for key, tier in load_tiers().items()
        if steps[key] and steps[key][-1]["up_to"] >= model_type.parameters
        if model_type.key == "text-classification"
        or key in OF_EACH_KIND
        or key == model_type.hardware
    ]


def test_every_tier_gives_the_same_files_and_code(
    model_type: ModelType, trees: Callable[[str, str], Tree]
) -> None:
    tiers = fitting(model_type)
    assert model_type.hardware in [tier.key for tier in tiers], "its default hardware holds it"
    first = trees(model_type.key, tiers[0].key)
    for tier in tiers[1:]:
        other = trees(model_type.key, tier.key)
        assert other.keys() == first.keys()
        assert {name for name in first if first[name] != other[name]} <= OF_THE_TIER


def test_a_tier_changes_one_line_of_card_and_tuning_and_the_torch_line(
    model_type: ModelType, trees: Callable[[str, str], Tree]
) -> None:
    tiers = fitting(model_type)
    first = trees(model_type.key, tiers[0].key)
    for tier in tiers[1:]:
        other = trees(model_type.key, tier.key)
        for name, prefix in (("README.md", "suggested_hardware: "), ("tuning.py", "TIER = ")):
            before, after = first[name].decode().split("\n"), other[name].decode().split("\n")
            changed = [pair for pair in zip(before, after) if pair[0] != pair[1]]
            assert len(before) == len(after)
            assert all(line.startswith(prefix) for pair in changed for line in pair)
            assert len(changed) == 1
        requirements = other["requirements.txt"].decode()
        assert ("/whl/cpu" in requirements) == (model_type.torch and tier.pip_torch == "cpu")
        assert ("torch" in requirements.lower()) == model_type.torch


def test_no_trace_of_jinja_or_of_this_machine(
    model_type: ModelType, trees: Callable[[str, str], Tree]
) -> None:
    for tier in fitting(model_type):
        for name, content in trees(model_type.key, tier.key).items():
            assert not re.search(r"[{}%]|\.jinja", name), name
            if name.endswith((".jpg", ".png", ".wav", ".mp4", ".skops")):
                continue
            text = content.decode()
            assert not re.search(r"\{%|%\}|\{#|\bjinja\b", text), name
            if not name.endswith((".py", ".md")):  # f-strings may hold them
                assert "{{" not in text, name
            assert str(Path.home()) not in text
            assert "/tmp" not in text, name


def inside(folder: Path) -> set[str]:
    """The files below a folder, as they are called in a Space."""
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


def test_only_what_was_chosen(model_type: ModelType, trees: Callable[[str, str], Tree]) -> None:
    """No file and no requirement of another model type."""
    files = trees(model_type.key, model_type.hardware)
    template = ROOT / "template"
    shared = {
        path.name.split("'")[1]: inside(path)
        for path in template.glob("{% if '*' in files %}.{% endif %}")
    }
    chosen = set(inside(template / f"{{% if model_type == '{model_type.key}' %}}.{{% endif %}}"))
    chosen = chosen.union(*(shared[name] for name in model_type.files))
    assert chosen <= files.keys()
    others = set().union(*(shared[name] for name in shared if name not in model_type.files))
    assert not (others - chosen) & files.keys()
    assert ("packages.txt" in files) == bool(model_type.packages)
    listed = files["requirements.txt"].decode()
    assert ("diffusers" in listed) == any("diffusers" in row for row in model_type.requirements)
    for forbidden in ("gradio", "spaces", "huggingface"):
        assert not re.search(rf"^{forbidden}", listed, re.MULTILINE)


def test_card_and_folder_pass_the_checks(
    model_type: ModelType, trees: Callable[[str, str], Tree], tmp_path: Path
) -> None:
    for tier in fitting(model_type):
        files = trees(model_type.key, tier.key)
        header = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
        assert header["suggested_hardware"] == tier.key
        if model_type.model_id.startswith("."):  # of its own
            assert not {"models", "preload_from_hub"} & header.keys()
        else:
            assert header["models"] == header["preload_from_hub"] == [model_type.model_id]
        assert header["title"] == model_type.title
        space = tmp_path / tier.key
        for name, content in files.items():
            path = space / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert check(space) == []


def test_the_command_on_the_card_is_one_that_a_shell_takes(
    model_type: ModelType, trees: Callable[[str, str], Tree]
) -> None:
    """Whatever stands in its arguments."""
    card = trees(model_type.key, model_type.hardware)["README.md"].decode()
    command = card.split("```bash\n")[1].split("```")[0]
    name, _, *options = shlex.split(command.replace("\\\n", " "))
    assert name == "curl"
    assert set(options[::2]) <= {"-F", "--json"}


def test_types_lint_and_format_are_clean(
    model_type: ModelType, rendered: Callable[..., Path], tmp_path: Path
) -> None:
    is_clean(rendered(model_type=model_type.key), tmp_path)


def test_what_ray_serve_needs_is_clean_too(rendered: Callable[..., Path], tmp_path: Path) -> None:
    is_clean(rendered(scale="ray-serve"), tmp_path)


def is_clean(rendered_space: Path, tmp_path: Path) -> None:
    """With the tools' own defaults, as whoever forks the Space runs them."""
    space = tmp_path / "space"
    shutil.copytree(rendered_space, space)
    strict = ["--strict", "--no-warn-return-any", "--allow-untyped-calls"]
    # reading the types of PyTorch and transformers alone takes more than a minute
    settings = tmp_path / "mypy.ini"
    settings.write_text(f"[mypy]\n[mypy-{HEAVY}]\nfollow_imports = skip\n")
    strict += ["--allow-untyped-decorators", "--allow-subclassing-any"]
    strict += [f"--config-file={settings}"]
    for command in (
        ["ruff", "format", "--isolated", "--check", "."],
        ["ruff", "check", "--isolated", "."],
        ["mypy", *strict, "--ignore-missing-imports", f"--cache-dir={tmp_path.parent}/mypy", "."],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=space, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_plain_files_hold_no_jinja() -> None:
    """app.py, model.py and serving are plain Python where they lie."""
    for path in (ROOT / "template").rglob("*.py"):
        assert not re.search(r"\{%|\{#", path.read_text(encoding="utf-8")), path


def test_estimates_are_up_to_date(model_type: ModelType) -> None:
    """`python -m spaces_gen.estimate` was run after the last change of a table.

    All bounds, and of each tier one step, as computing all takes most of a minute.
    """
    written = json.loads((ESTIMATES / f"{model_type.key}.json").read_text(encoding="utf-8"))
    assert list(written) == list(load_tiers())
    for place, (key, tier) in enumerate(load_tiers().items()):
        found = written[key]
        assert [step["up_to"] for step in found] == bounds(tier, model_type)
        if found:
            step = found[place % len(found)]
            assert step == {
                "up_to": step["up_to"],
                **tuning_values(tier, model_type, step["up_to"]),
            }


def test_every_emoji_of_the_check_and_no_other_is_allowed() -> None:
    """copier.yml and hooks/ mean the same by "one emoji"."""
    from space_checks.emoji import is_emoji

    tables = ROOT / "generator" / "spaces_gen" / "tables"
    pattern = re.compile(yaml.safe_load((tables / "card.yml").read_text())["emoji_pattern"])
    characters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    assert all(bool(pattern.search(one)) == is_emoji(one) for one in characters)
    for text in ("🏷️", "👨‍👩‍👧", "🇩🇪", "1️⃣", "😀😀", "a", "", "🧑🏽‍🚀"):
        assert bool(pattern.search(text)) == is_emoji(text)
