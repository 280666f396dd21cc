"""`spaces-gen new` on a real terminal: what is shown, what is pressed, what is written."""

from __future__ import annotations

import json
import os
import re
import shlex
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from terminal import CTRL_C, DOWN, ENTER, UP, Terminal, on_terminal

from spaces_gen.errors import UserError
from spaces_gen.fit import default_tier
from spaces_gen.tables import load_model_types, load_tiers
from spaces_gen.wizard.conversation import ask, walk
from spaces_gen.wizard.form import Form
from spaces_gen.wizard.screen import GoBack
from spaces_gen.wizard.steps import Talk

ESC, CLEAR = "\x1b", "\x05\x15"  # Ctrl-E, then Ctrl-U
PASTED = "\x1b[200~{}\x1b[201~"
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
BIG = 9000  # million parameters: too many for cpu-basic in float32


@contextmanager
def wizard(folder: Path, *options: str, **variables: str) -> Iterator[Terminal]:
    """`spaces-gen new space` in `folder`, on a terminal."""
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    command = [sys.executable, "-m", "spaces_gen", "new", "space", *options]
    with on_terminal(command, {**environment, "HF_HUB_OFFLINE": "1", **variables}, folder) as one:
        yield one


def answers(folder: Path) -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = yaml.safe_load((folder / "space" / ".copier-answers.yml").read_text())
    return found


def big_model(folder: Path, architecture: str = "LlamaForCausalLM") -> str:
    """A model of many parameters in a folder, without their bytes; returns its name."""
    model = folder / "model"
    model.mkdir()
    config = {"architectures": [architecture], "model_type": architecture[:5].lower()}
    (model / "config.json").write_text(json.dumps(config))
    header = {"w": {"dtype": "BF16", "shape": [BIG, 1_000_000], "data_offsets": [0, 0]}}
    data = json.dumps(header).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)
    return "./model"


def test_a_space_is_made_with_a_step_back_and_the_next_commands_are_shown(tmp_path: Path) -> None:
    with wizard(tmp_path) as terminal:
        terminal.until("Model: ")
        terminal.type(ENTER)
        terminal.until("What shall it do?")
        terminal.until("then Enter")
        terminal.type("chat (")
        terminal.until("/ chat (")
        terminal.type(ENTER)
        terminal.until("On which hardware?")
        listed = terminal.until("recommended: the default")
        assert all(flavor in listed for flavor in load_tiers())
        assert "$0.40 /h" in listed
        terminal.type(ESC)
        terminal.until("What shall it do?")
        shown = terminal.until("Zero-shot audio")
        assert "» Chat (text-generation)" in shown  # what was chosen before
        terminal.type("translation", ENTER)
        terminal.until("On which hardware?")
        terminal.until("recommended: the default")
        terminal.type(ENTER)
        terminal.until("What is the Space called?")
        terminal.type(CLEAR, "My Space", ENTER)
        terminal.until("translation")
        terminal.until("My Space")
        terminal.until("Change more first")
        terminal.type(DOWN, ENTER)
        terminal.until("How far should it grow?")
        terminal.until("As far as")
        terminal.type(ENTER)
        terminal.until("What does it do?")
        terminal.type(ESC)
        terminal.until("How far should it grow?")
        terminal.type(ESC)
        terminal.until("Like this?")
        terminal.type(ENTER)
        assert terminal.end() == 0
    assert "Making the Space" in terminal.text
    assert COLOUR.search(terminal.raw)
    made = answers(tmp_path)
    assert (made["model_type"], made["title"]) == ("translation", "My Space")
    lines = terminal.text.partition("Next:")[2].strip().splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    assert commands == [
        ["python", "space/app.py"],
        ["spaces-gen", "plan", "space"],
        ["spaces-gen", "publish", "space"],
    ]


def test_what_a_model_does_not_fit_is_greyed_out_with_the_reason(tmp_path: Path) -> None:
    with wizard(tmp_path, "--model", big_model(tmp_path)) as terminal:
        assert "9,000M" in terminal.until("What does it do?")
        terminal.until("» Chat (text-generation) - ")
        assert "config.json" in terminal.until("Text classification")  # why
        terminal.type(ENTER)
        terminal.until("On which hardware?")
        listed = terminal.until("recommended: the cheapest that holds it")
        for flavor in ("cpu-basic", "t4-small"):
            assert re.search(rf"- {flavor} .*does not fit: needs [\d.]+ of 16 GB", listed)
        assert re.search(rb"\x1b\[[0-9;]*90m- cpu-basic", terminal.raw), "not grey"
        terminal.type(UP, ENTER)  # from the third over those that cannot be taken to the last
        terminal.until("What is the Space called?")
        terminal.type(ENTER)
        terminal.until("Like this?")
        terminal.until("Change more")
        terminal.type(ENTER)
        assert terminal.end() == 0
    made = answers(tmp_path)
    assert made["model_parameters"] == BIG
    assert made["hardware"] == list(load_tiers())[-1]


def test_open_kinds_come_first_and_ctrl_c_writes_nothing(tmp_path: Path) -> None:
    model = big_model(tmp_path, "T5ForConditionalGeneration")
    with wizard(tmp_path, "--model", model, NO_COLOR="1") as terminal:
        shown = terminal.until("Token classification")
        kinds = ("(text2text-generation)", "(summarization)", "(translation)")
        places = [shown.index(kind) for kind in (*kinds, "(text-classification)")]
        assert places == sorted(places)
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert "nothing was written" in terminal.text
    assert not (tmp_path / "space").exists()
    assert not COLOUR.search(terminal.raw)


def test_what_is_given_is_not_asked_and_bad_input_is_told(tmp_path: Path) -> None:
    options = ("--model-type", "text-classification", "--hardware", "cpu-upgrade")
    with wizard(tmp_path, *options) as terminal:
        terminal.until("Model: ")
        terminal.type(PASTED.format("a/\x1b]0;owned\x07b\x1b[31m"), ENTER)
        terminal.until("no control characters")
        terminal.type(CLEAR, PASTED.format("x" * 10_000), ENTER)
        terminal.until("500")  # characters at most; only what differs is drawn anew
        terminal.type(CLEAR, "./nowhere", ENTER)
        terminal.until("there is no folder ./nowhere")
        terminal.until("Model: ")
        terminal.type(CLEAR, ENTER)
        terminal.until("What is the Space called?")
        terminal.type(CLEAR, PASTED.format("y" * 10_000), ENTER)
        terminal.until("one line of 1 to 100 characters")
        terminal.type(CLEAR, "Kept", ENTER)
        said = terminal.until("Like this?")
        assert "cpu-upgrade" in said
        terminal.type(CTRL_C)
        assert terminal.end() == 130
    assert b"\x1b]0;owned" not in terminal.raw
    assert "On which hardware?" not in terminal.text
    assert not (tmp_path / "space").exists()


def test_a_terminal_that_knows_only_lines_is_not_asked(tmp_path: Path) -> None:
    with wizard(tmp_path, TERM="dumb") as terminal:
        assert terminal.end() == 0
    assert b"\x1b" not in terminal.raw
    assert "spaces-gen publish space" in terminal.text
    assert answers(tmp_path)["model_type"] == "text-classification"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"title": "a\nb"}, "one line"),
        ({"emoji": ":)"}, "one emoji"),
        ({"license": "none"}, "apache-2.0"),
        ({"requests_per_minute": "many"}, "whole number"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_before_anything_is_asked(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        ask(given)


# -- the parts -------------------------------------------------------------------------------------


def test_a_changed_answer_takes_those_after_it_along() -> None:
    pressed = iter(["a", "b", None, None, "A", "c", "d"])  # None: back

    def step(key: str) -> Any:
        def ask(talk: Talk, *, back: bool) -> bool:
            answer = next(pressed)
            if answer is None:
                raise GoBack
            talk.chosen[key] = answer
            seen.append(dict(talk.chosen))
            return True

        return ask

    seen: list[dict[str, str]] = []
    talk = Talk({})
    walk([step("one"), step("two"), step("three")], talk, back=False)
    assert talk.chosen == {"one": "A", "two": "c", "three": "d"}
    assert {"one": "A", "two": "b"} in seen, "shown as what was chosen before"
    pressed = iter([None])
    with pytest.raises(GoBack):
        walk([step("one")], Talk({}), back=True)


@pytest.mark.parametrize("key", load_model_types())
def test_the_form_says_what_copier_says(key: str) -> None:
    """Defaults and choices as the tables have them, for each model type."""
    form, row = Form(), load_model_types()[key]
    given = {"model_type": key}
    assert form.default("model_id", given) == row.model_id
    assert int(form.default("model_parameters", given)) == row.parameters
    tier = default_tier(row, row.parameters)
    assert tier is not None
    assert form.default("hardware", given) == tier.key
    assert form.default("title", given) == row.title
    assert form.complaint("title", row.title, given) == ""
    assert "1 to 100" in form.complaint("title", "a\nb", given)
    flavors = form.options("hardware", given)
    assert [one.value for one in flavors] == list(load_tiers())


def test_the_form_refuses_what_does_not_go_together() -> None:
    form, given = Form(), {"model_type": "text-generation", "hardware": "zero-a10g"}
    scales = {one.value: one.reason for one in form.options("scale", given)}
    assert scales["one-machine"] == ""
    assert "ZeroGPU" in scales["ray-serve"]
    assert "whole number" in form.complaint("requests_per_minute", "many", given)
    assert form.complaint("requests_per_minute", "30", given) == ""
    assert len(form.complaint("title", "x" * 10_000, given)) < 300
    with pytest.raises(KeyError):
        form.default("poetry", given)
