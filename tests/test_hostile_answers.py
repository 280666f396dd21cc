"""No text of an answer is more than a text: no code, no YAML, no Markdown, no template."""

# ruff: noqa: F401, F811 (the fixture `server` is imported, and then a parameter)

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structure import assigned, card, heading, structure
from upgrading import (
    ANSWERS,
    TEAM,
    VERSIONS,
    Server,
    Tree,
    commit,
    fast_renders,
    refusal,
    run_here,
    server,
    succeeded,
    take,
)

from spaces_gen.bundle import staged_template
from spaces_gen.errors import UserError
from spaces_gen.render import render_template

FREE_TEXTS = ("title", "short_description", "emoji", "model_id", "measured")
FOLDER = "./plain"
PLAIN: dict[str, Any] = {
    "title": "Plain",
    "short_description": "Plain",
    "emoji": "🙂",
    "model_id": FOLDER,
    "model_parameters": 67,
    "hardware": "cpu-basic",
    "scale": "ray-serve",
    "measured": {"": {}},
}

CODE = '"); import os; os.system("touch hostile") #'
NASTY = (
    # as Python, YAML and requirements read it
    CODE,
    "'''",
    '"""',
    "\\",
    "\\\"); print('",
    '\\N{BULLET} \\x41 %s {} ${HOME} $(touch hostile) `touch hostile`',
    "a: b",
    "- a",
    "a: [1, {b: c}] # d",
    "&a *a !!python/object/apply:os.system ['touch hostile']",
    "| >- %YAML",
    "null",
    "0x1F",
    "yes",
    "2020-01-01",
    "---",
    "torch @ https://evil.example/torch.whl ; python_version>'3'",
    # as Markdown and HTML
    "<script>alert(1)</script>",
    "<!-- ",
    "](javascript:alert(1))",
    "[a](https://evil.example) ![b](c)",
    "# a",
    "*a* **b** __c__ ~~d~~ `e`",
    "&lt;b&gt; &#60;b&#62;",
    "<https://evil.example>",
    "| a | b |",
    "1. a",
    # as Jinja
    "{{ 7*7 }}",
    "{% include 'copier.yml' %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for i in range(9) %}{{ i }}{% endfor %}",
    "{# a #}{{ _copier_conf }}",
    "{% raw %}",
    # as a path
    "../../x",
    "/etc/passwd",
    "a/b/../../../c",
    "~/.ssh/id_rsa",
    # lines, directions, lengths
    "a\nb: c",
    "a\n",
    "a\r\n---\n",
    "\t",
    " ",
    "",
    "a\0b",
    "\x1b[31m\x07",
    "a\u2028b\u2029c\x85d",
    "\u202eabc\u202c \u2066d\u2069",
    "עברית العربية",
    "👩‍👩‍👧 🇩🇪 \U000e0041",
    "\ufeffa\ufffe",
    "\ud800",
    "a" * 10_000,
    "{{ 7*7 }}" * 6,
)  # fmt: skip

TRIED: list[int] = []


@pytest.fixture(scope="module", autouse=True)
def tried() -> Iterator[None]:
    yield
    print(f"{len(TRIED)} sets of answers were tried")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with staged_template() as folder:
        yield folder


def copied(template: Path, folder: Path, answers: Mapping[str, Any]) -> Tree:
    """What plain Copier, which nobody told to trust the template, makes of some answers."""
    TRIED.append(1)
    with fast_renders():
        copier.run_copy(
            str(template), folder, data=dict(answers), defaults=True, quiet=True, overwrite=True
        )
    return take(folder)


@pytest.fixture(scope="module")
def plain(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The Space of plain answers."""
    return copied(template, tmp_path_factory.mktemp("plain") / "space", with_measured("plain"))


def with_measured(source: str, **answers: Any) -> dict[str, Any]:
    """Plain answers but for some."""
    changed = {**PLAIN, **answers}
    row = {"source": source, "figures": {source: source}}
    return {**changed, "measured": {changed["model_id"]: {"cpu-basic": row}}}


def answered(texts: Mapping[str, str], prefix: str = "./") -> dict[str, Any]:
    """Plain answers but for the texts given, by question."""
    others = {key: text for key, text in texts.items() if key not in ("model_id", "measured")}
    if "model_id" in texts:
        others["model_id"] = prefix + texts["model_id"]
    return with_measured(texts.get("measured", "plain"), **others)


def accepted(
    template: Path, folder: Path, texts: dict[str, str], prefix: str = "./"
) -> tuple[Tree, dict[str, Any]]:
    """The Space that is made of texts, those left out that their questions refuse by name."""
    while True:
        answers = answered(texts, prefix)
        try:
            return copied(template, folder, answers), answers
        except ValueError as error:
            said = str(error)
            refused = said.removeprefix("Validation error for question '").split("'")[0]
            assert refused in texts, said
            assert f"'{refused}': {refused}: " in said
            assert not folder.exists()
            del texts[refused]


def is_plain_but_for(found: Tree, answers: Mapping[str, Any], plain: Tree) -> None:
    """Its structure is that of plain answers, and each text stands where it belongs as it is."""
    here, there = structure(found), structure(plain)
    recorded, before = yaml.safe_load(found[ANSWERS]), yaml.safe_load(plain[ANSWERS])
    assert recorded == {**before, **answers}
    del here[ANSWERS], there[ANSWERS]
    assert here == there
    header, text = card(found["README.md"])
    of_plain, _ = card(plain["README.md"])
    given = {key: answers[key] for key in ("title", "short_description", "emoji")}
    assert header == {**of_plain, **given}
    assert heading(text) == answers["title"].strip(" \t")
    tuning, before = assigned(found["tuning.py"]), assigned(plain["tuning.py"])
    source = answers["measured"][answers["model_id"]]["cpu-basic"]["source"]
    rows = [[*row[:-1], source if row[0] == "cpu-basic" else row[-1]] for row in before["TIERS"]]
    assert tuning == {**before, "MODEL_ID": answers["model_id"], "TIERS": rows}


@pytest.mark.parametrize("number", range(0, len(NASTY), 3))
def test_no_nasty_text_is_more_than_a_text(
    number: int, template: Path, plain: Tree, tmp_path: Path
) -> None:
    """Each of them in each question, on the way through the list."""
    nasty = [NASTY[(number + place) % len(NASTY)] for place in range(len(FREE_TEXTS))]
    texts = dict(zip(FREE_TEXTS, nasty))
    prefix = ("./", "C:/", "~/")[number // 3 % 3]
    found, answers = accepted(template, tmp_path / "space", texts, prefix)
    is_plain_but_for(found, answers, plain)
    assert [path.name for path in tmp_path.iterdir()] == ["space"]


TEXT = st.text(max_size=70) | st.text(
    alphabet="\"'\\{}[]()<>&#:-|>%!`*_$@~;,=\n\r\t \u2028\u202eé🙂aא", max_size=60
)


@settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)  # fmt: skip
@given(texts=st.fixed_dictionaries(dict.fromkeys(FREE_TEXTS, TEXT)), prefix=st.sampled_from("/.C~"))
def test_no_text_at_all_is_more_than_a_text(
    texts: dict[str, str],
    prefix: str,
    template: Path,
    plain: Tree,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any") / "space"
    start = {"C": "C:"}.get(prefix, prefix) + ("" if prefix == "/" else "/")
    found, answers = accepted(template, folder, texts, start)
    is_plain_but_for(found, answers, plain)


@pytest.mark.parametrize("text", ["a\n", "🙂\n", "a/b\n", "./a\n"])
@pytest.mark.parametrize("question", ["title", "short_description", "emoji", "model_id"])
def test_a_last_newline_belongs_to_no_line(
    question: str, text: str, template: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"'{question}': {question}: "):
        copied(template, tmp_path / "space", {question: text})
    assert not (tmp_path / "space").exists()


JINJA = "{{ 7*7 }}{% include 'copier.yml' %}"


def test_nothing_is_evaluated_when_answers_are_read_back(
    template: Path, plain: Tree, tmp_path: Path
) -> None:
    """By plain Copier over the same folder, and twice by the command."""
    texts = {"title": JINJA, "short_description": JINJA, "model_id": JINJA, "measured": JINJA}
    answers = answered(texts)
    space = tmp_path / "space"
    first = copied(template, space, answers)
    is_plain_but_for(first, answers, plain)
    assert copied(template, space, {}) == first
    for hardware in ("t4-small", "cpu-basic"):
        succeeded(run_here("upgrade", space, "--hardware", hardware))
    assert take(space) == first
    succeeded(run_here("upgrade", space, "--data", f"title={CODE}"))
    is_plain_but_for(take(space), {**answers, "title": CODE}, plain)


def test_nothing_is_evaluated_by_copier_update(server: Server, tmp_path: Path) -> None:
    data = [f"--data={name}={JINJA}" for name in ("title", "short_description")]
    data += [f"--data=model_id=./{JINJA}", "--data=model_parameters=67"]
    options = ("--defaults", "-q")
    server.copier(
        tmp_path, "copy", *options, *data, f"--vcs-ref={VERSIONS[1]}", f"{TEAM}.git", "space"
    )
    space = tmp_path / "space"
    first = take(space)
    for version in (VERSIONS[2], VERSIONS[2]):
        commit(space)
        server.copier(space, "update", *options, f"--vcs-ref={version}")
    found = take(space)
    header, text = card(found["README.md"])
    assert (header["title"], header["short_description"], heading(text)) == (JINJA,) * 3
    assert assigned(found["tuning.py"])["MODEL_ID"] == f"./{JINJA}"
    assert found.keys() == first.keys()
    assert b"49" not in found["README.md"]
    assert yaml.safe_load(found[ANSWERS])["_commit"] == VERSIONS[2]


# -- what nobody is asked --------------------------------------------------------------------------

ROW = {"flavor": f'cpu-basic", {CODE}', "gpu": CODE, "gpus": 0, "engine": "pytorch", "source": "x"}
COMPUTED: dict[str, Any] = {
    "tiers": {"cpu-basic": {"name": CODE, "price_per_hour": 0}},
    "model_types": {"../../x": {"name": CODE}},
    "engines": {"pytorch": {"requirements": ["evil"]}},
    "card_values": {"line_pattern": "", "emoji_pattern": "", "sdk_version": '"\nsdk: docker'},
    "model": {"name": CODE, "packages": ["evil; touch hostile"], "requirements": ["evil"]},
    "files": ["chat", "../.."],
    "estimates": {"cpu-basic": [{"up_to": 10**9, "workers": CODE}]},
    "tuning_rows": [ROW],
    "sharded": True,
    "machines": "9\nevil: 1",
    "source": "ext::sh -c touch% hostile",
    "provenance": {"title": CODE},
}


@pytest.mark.parametrize("question", COMPUTED)
@pytest.mark.parametrize("encode", [json.dumps, lambda value: value])
def test_what_is_computed_cannot_be_given(
    question: str, encode: Any, template: Path, tmp_path: Path
) -> None:
    spec = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    hidden = {key for key, value in spec.items() if key[0] != "_" and value.get("when") is False}
    assert hidden == set(COMPUTED)
    value = COMPUTED[question]
    value = value if isinstance(value, str) else encode(value)
    with pytest.raises((ValueError, copier.errors.CopierError)) as refused:
        copied(template, tmp_path / "space", {question: value})
    if question != "machines":  # no number, which Copier says itself
        assert f"'{question}': {question}: " in str(refused.value)
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize(
    "provenance",
    [
        {"_commit": "v1\nx: y"}, {"_commit": 7}, {"_src_path": "/etc"}, [1], "x", 7,
        {"_src_path": "--upload-pack=x"}, {"_src_path": "https://a\nb: c"},
    ],
)  # fmt: skip
def test_where_a_template_is_from_is_no_free_text(
    provenance: object, template: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="'provenance': provenance: "):
        copied(template, tmp_path / "space", {"provenance": json.dumps(provenance)})


UNASKED = {
    "row": {"gpus": CODE, "max_batch_size": CODE}, "on_hub": CODE, "messages": [CODE],
    "rows": CODE, "fitting": CODE, "of_model": CODE, "typed": "ext::sh", "public": "ext::sh",
    "on_a_machine": CODE, "wrong": CODE, "value": CODE, "name": CODE, "key": CODE, "line": CODE,
}  # fmt: skip


def test_what_is_no_question_decides_nothing(template: Path, plain: Tree, tmp_path: Path) -> None:
    """Not even where the template has a variable of that name."""
    answers = with_measured("plain")
    assert copied(template, tmp_path / "a", {**answers, **UNASKED}) == plain
    shadows = dict.fromkeys(("dict", "range", "namespace", "lipsum", "_copier_conf"), CODE)
    found = tmp_path / "b"
    with fast_renders():
        render_template(template, {**answers, **UNASKED, **shadows}, found, {})
    assert take(found) == plain


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["title", "short_description", "emoji", "model_id"])
def test_the_command_refuses_in_one_line_or_takes_it_as_it_is(
    question: str, plain: Tree, tmp_path: Path
) -> None:
    names = ("hardware", "scale", "title", "short_description")
    for number, text in enumerate((CODE, "a\nb: c", "\x1b[31m", "\ud800", JINJA, "a" * 10_000)):
        TRIED.append(1)
        space = tmp_path / str(number)
        given = {**{name: PLAIN[name] for name in names}, "model_type": "text-classification"}
        given[question] = f"C:/{text}" if question == "model_id" else text
        done = run_here("new", space, *(f"--data={key}={value}" for key, value in given.items()))
        if done.returncode:
            said = refusal(done)
            assert said.startswith(f"Error: {question}: ")
            assert all(one.isprintable() or one == "\n" for one in said)
            assert len(said) < 5000
            assert not space.exists()
        else:
            header, _ = card(take(space)["README.md"])
            assert question == "model_id" or header[question] == text
            assert take(space).keys() == plain.keys()
    assert not os.path.exists("hostile")
