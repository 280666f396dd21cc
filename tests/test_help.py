"""Help pages, colours and completion: what is shown, where, and that it is true."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from terminal import on_terminal
from upgrading import outer, run_here, succeeded

from spaces_gen import cli
from spaces_gen.commands import front
from spaces_gen.commands.manual import MANUAL
from spaces_gen.commands.verbs import ENVIRONMENT, OPTIONS, VERBS
from spaces_gen.tables import load_model_types, load_tiers

GROUP: Any = typer.main.get_command(cli.app)
BIN = Path(sys.executable).parent
EXAMPLES = [*front.EXAMPLES, *(one for of in MANUAL.values() for one in of.examples)]


def shown(*arguments: str) -> str:
    """What a command prints, wide enough and without colours."""
    return succeeded(run_here(*arguments, env={"NO_COLOR": "1", "COLUMNS": "200"}))


# -- the pages -------------------------------------------------------------------------------------


def test_the_first_page_names_all_there_is_and_fits_a_terminal() -> None:
    page = shown("--help")
    assert page == shown("--debug", "--help") == front.page(colours=False)
    assert max(map(len, page.splitlines())) <= 100
    assert list(GROUP.commands) == list(VERBS)
    assert set(MANUAL) == set(VERBS)
    for name, verb in VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(verb.summary)}$", page, re.MULTILINE)
        assert len(verb.summary) <= 60
    options = {opt for one in GROUP.params for opt in (*one.opts, *one.secondary_opts)}
    assert options == set(OPTIONS)


def test_the_first_page_needs_no_library() -> None:
    script = """if True:
        import sys
        from spaces_gen.cli import main
        sys.argv[1:] = ["--help"]
        try:
            main()
        except SystemExit:
            print([name for name in ("typer", "rich", "yaml") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize("name", VERBS)
def test_a_page_tells_what_examples_exits_and_what_else(name: str) -> None:
    page = shown(name, "--help")
    manual = MANUAL[name]
    assert VERBS[name].summary in page
    for words in ("Examples:", "Exit codes:", *manual.examples, *manual.environment, *manual.files):
        assert words in page
    assert 2 <= len(manual.examples) <= 4
    assert set(manual.environment) <= set(ENVIRONMENT)
    assert set(manual.see) <= set(VERBS) - {name}
    for param in GROUP.commands[name].params:
        assert param.help or "--help" in param.opts


@pytest.mark.parametrize("typed", EXAMPLES)
def test_an_example_is_one_that_is_understood(typed: str) -> None:
    program, name, *arguments = shlex.split(typed)
    assert program == "spaces-gen"
    command = GROUP.commands[name]
    with command.make_context(name, arguments) as context:
        assert context.params
    for option, value in itertools.pairwise(arguments):
        if option == "--hardware":
            assert value in load_tiers()
        if option == "--model-type":
            assert value in load_model_types()


# -- colours ---------------------------------------------------------------------------------------

SEEN = (["--help"], ["plan", "--help"], ["tiers"], ["nonsense"])


@pytest.mark.parametrize("arguments", SEEN, ids=" ".join)
def test_codes_go_to_a_terminal_and_nowhere_else(arguments: list[str]) -> None:
    environment = {key: value for key, value in outer().items() if key != "NO_COLOR"}
    command = [sys.executable, "-m", "spaces_gen", *arguments]
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        with on_terminal(command, {**environment, **variables}) as terminal:
            terminal.end()
        assert terminal.raw
        assert (b"\x1b" in terminal.raw) == (variables == {})
    piped = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert b"\x1b" not in piped.stdout + piped.stderr


# -- completion ------------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        "_SPACES_GEN_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["spaces-gen", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = run_here(env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_verbs_options_and_values_are_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my-space").mkdir()
    (tmp_path / "my-file").touch()
    monkeypatch.chdir(tmp_path)
    assert completed("up") == ["upgrade"]
    assert completed("new", "x", "--hard") == ["--hardware"]
    a10g = [flavor for flavor in load_tiers() if flavor.startswith("a10g")]
    assert completed("new", "x", "--hardware", "a10g") == a10g
    assert completed("upgrade", ".", "--hardware", "a10g") == a10g
    assert completed("plan", "--model-type", "token") == ["token-classification"]
    assert completed("check", "my") == ["my-space"]
    assert completed("new", "x", "--license", "apache-2") == ["apache-2.0"]
    assert completed("new", "x", "--color-from", "ind") == ["indigo"]
    assert completed("new", "x", "--python-version", "3.12") == ["3.12"]
    assert completed("new", "x", "--data", "requests") == ["requests_per_minute="]
    assert completed("demo", "ch") == ["chat"]
    assert completed("check", "no/such/folder") == []


@pytest.mark.parametrize(
    ("shell", "variables"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "spaces-gen plan --model-type fill"}),
        (
            "fish",
            {
                "_TYPER_COMPLETE_ARGS": "spaces-gen plan --model-type fill",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            },
        ),
    ],
)
def test_other_shells_show_what_a_value_means(shell: str, variables: dict[str, str]) -> None:
    done = run_here(env={"_SPACES_GEN_COMPLETE": f"complete_{shell}", **variables})
    assert "fill-mask" in done.stdout
    assert load_model_types()["fill-mask"].name in done.stdout


def test_a_real_shell_completes(tmp_path: Path) -> None:
    script = """
        eval "$(_SPACES_GEN_COMPLETE=source_bash spaces-gen)"
        COMP_WORDS=(spaces-gen upgrade . --hardware l40sx8) COMP_CWORD=4
        _spaces_gen_completion spaces-gen
        echo "${COMPREPLY[@]}"
    """
    environment = {**outer(), "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "l40sx8\n", done.stderr
