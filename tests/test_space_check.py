"""The checks on the way out of a Space folder, run on real folders."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
HOOKS = REPOSITORY / "hooks"
TABLES = REPOSITORY / "generator" / "spaces_gen" / "tables"
sys.path.insert(0, str(HOOKS))

import space_check  # noqa: E402
from space_checks import card_values, render  # noqa: E402
from space_checks.files import list_files  # noqa: E402
from space_checks.sizes import check_sizes  # noqa: E402

CARD = {
    "title": "Photo sorter",
    "emoji": "🗂️",
    "colorFrom": "indigo",
    "colorTo": "pink",
    "sdk": "gradio",
    "sdk_version": '"6.31.0"',
    "python_version": '"3.12"',
    "app_file": "app.py",
    "license": "apache-2.0",
    "suggested_hardware": "zero-a10g",
}
MIB = 1024 * 1024

# Built at run time, so that no scanner takes this file for a leak.
_RANDOM = base64.b64encode(hashlib.sha512(b"not a credential").digest()).decode()
BODY = "".join(char for char in _RANDOM if char.isalnum())
UPPER = base64.b32encode(hashlib.sha256(b"not a credential").digest()).decode()[:16]
TOKENS = {
    "Hugging Face token": "hf" + "_" + BODY[:34],
    "Hugging Face OAuth token": "hf" + "_oauth_" + BODY[:40],
    "GitHub token": "ghp" + "_" + BODY[:36],
    "GitHub fine-grained token": "github" + "_pat_" + BODY[:22] + "_" + BODY[:59],
    "AWS access key id": "AK" + "IA" + UPPER,
    "AWS secret access key": "aws_secret_access" + "_key = '" + BODY[:40] + "'",
    "OpenAI key": "sk" + "-proj-" + BODY[:48],
    "Anthropic key": "sk" + "-ant-api03-" + BODY[:60],
    "Slack token": "xox" + "b-" + BODY[:30],
    "Google API key": "AI" + "za" + BODY[:35],
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + BODY[:64] + "\n",
}


def write_card(root: Path, **changes: str | None) -> None:
    """Write a README.md with a good card and these changes; None leaves a key out."""
    card = {**CARD, **{key.replace("__", "-"): value for key, value in changes.items()}}
    lines = [f"{key}: {value}" for key, value in card.items() if value is not None]
    (root / "README.md").write_text("\n".join(["---", *lines, "---", "# Hello", ""]), "utf-8")


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A Space with nothing to complain about."""
    root = tmp_path / "space"
    root.mkdir()
    write_card(root)
    (root / "app.py").write_text("import gradio as gr\n\ngr.Blocks().launch()\n", "utf-8")
    (root / "requirements.txt").write_text("torch>=2.8\ntransformers>=5,<6  # models\n", "utf-8")
    return root


def found(root: Path) -> list[str]:
    return [render(finding) for finding in space_check.check(root)]


def only(root: Path) -> space_check.Finding:
    findings = space_check.check(root)
    assert len(findings) == 1, findings
    return findings[0]


def test_a_good_space_has_no_findings(space: Path) -> None:
    assert found(space) == []


# A key and its values, split at bars; a line that goes on below is written with \n.
BAD_VALUES = r"""
emoji: rocket | 🚀🚀 | → | "7" | "" | あ | ✓ | ":rocket:" | " 🚀" | 🇫
colorFrom: teal | "#ff0000" | Blue
sdk: streamlit | Gradio
sdk_version: 6.31 | "6.31" | "latest"
python_version: 3.10 | "2.7" | "3"
app_file: main.py | true
app_port: 70000 | "7860" | true
base_path: demo
suggested_hardware: a10g | h100 | zero-gpu
pinned: "true" | 1 | maybe
header: big
short_description: x234567890123456789012345678901234567890123456789012345678901 | 7
models: openai/whisper-tiny | [1]
tags: demo | [ok, 3.5]
hf_oauth_expiration_minutes: 43201 | 0
startup_duration_timeout: 60 | soon
custom_headers: \n  x-frame-options: DENY | [a]
preload_from_hub: gpt2 | [gpt2 a b c] | ['a/b/c']
license: apache | [mit, gpl-9] | \n  id: mit
"""
GOOD_VALUES = r"""
emoji: 🚀 | 👩‍💻 | 🇫🇷 | 👍🏽 | 1️⃣
sdk_version: "4.44.1" | '6.0.0b1'
python_version: "3.10.13"
app_file: ./app.py
app_port: 7860
base_path: /demo
suggested_hardware: cpu-basic | rtx-pro-6000x8
fullWidth: true | false  # narrow
header: mini | default
short_description: x23456789012345678901234567890123456789012345678901234567890 | 'It''s: "a" # b'
models: [openai/whisper-tiny, 'a/b',] | \n- openai/whisper-tiny | \n  - a\n  - b
tags: [] | ["a, b"]
hf_oauth_scopes: \n - read-repos
hf_oauth_authorized_org: acme | [acme, other]
startup_duration_timeout: 30m | 1h
custom_headers: \n  cross-origin-embedder-policy: require-corp
preload_from_hub: [gpt2, 'a/b c.bin,d.bin', 'a/b c.bin 0123abc']
license: mit | openrail++ | [mit, llama3.3]
"""


def values(table: str) -> list[tuple[str, str]]:
    """The pairs of a key and one of its values."""
    rows = (row.split(": ", 1) for row in table.replace(r"\n", "\0").strip().splitlines())
    return [(key, item.replace("\0", "\n")) for key, row in rows for item in row.split(" | ")]


@pytest.mark.parametrize(("key", "value"), values(BAD_VALUES))
def test_a_bad_card_value_is_an_error_on_its_line(space: Path, key: str, value: str) -> None:
    write_card(space, **{key: value})
    errors = [item for item in space_check.check(space) if item.level == "error"]
    card = (space / "README.md").read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(card, 1) if text.startswith(f"{key}:"))
    assert [(item.path, item.line) for item in errors] == [("README.md", line)]
    assert key in errors[0].message


@pytest.mark.parametrize(("key", "value"), values(GOOD_VALUES))
def test_a_good_card_value_passes(space: Path, key: str, value: str) -> None:
    write_card(space, **{key: value})
    assert found(space) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hardware": "t4-small"}, "ignores the key hardware"),
        ({"colour": "red"}, "knows no key 'colour'"),
        ({"pinned": ""}, "pinned has no value"),
        ({"title": None}, "no title"),
        ({"sdk_version": None}, "without sdk_version"),
        ({"sdk_version": "6.31.0"}, "not in quotes"),
        ({"python_version": '"3.11"'}, "ZeroGPU does not have this Python"),
        ({"license": "other"}, "license other says too little"),
    ],
)
def test_a_doubtful_card_is_a_warning(
    space: Path, changes: dict[str, str | None], message: str
) -> None:
    write_card(space, **changes)
    finding = only(space)
    assert finding.level == "warning"
    assert message in finding.message
    assert space_check.main([str(space)]) == 0


@pytest.mark.parametrize(
    ("readme", "line", "message"),
    [
        (b"# Hello\n", 1, "must begin with front matter"),
        (b"---\nsdk: gradio\n", 3, "does not end"),
        (b"---\ntitle:\tx\n---\n", 2, "tab"),
        (b"---\nsdk: static\n\n# c\nsdk: static\n---\n", 5, "already on line 2"),
        (b"---\ntitle: 'x\n---\n", 2, "does not end on its line"),
        (b'---\ntitle: "x\n  y"\n---\n', 2, "does not end on its line"),
        (b"---\ntags: [a, b\n---\n", 2, "does not end on its line"),
        (b"---\ntitle: a: b\n---\n", 2, "colon"),
        (b"---\ntitle: a\n  b\n---\n", 3, "one line"),
        (b"---\ntitle: |\n  b\n---\n", 2, "needs quotes"),
        (b"---\npinned: yes\n---\n", 2, "put it in quotes"),
        (b'---\ntitle: "\\d"\n---\n', 2, "escape"),
        (b"---\ntags:\n- a\n  - b\n---\n", 4, "indented differently"),
        (b"---\ntitle: \xff\n---\n", 2, "not UTF-8"),
        (b"---\njust text\n---\n", 2, "expected key: value"),
    ],
)
def test_broken_front_matter_names_the_line(
    space: Path, readme: bytes, line: int, message: str
) -> None:
    (space / "README.md").write_bytes(readme)
    finding = only(space)
    assert (finding.level, finding.path, finding.line) == ("error", "README.md", line)
    assert message in finding.message


def test_a_card_and_the_file_it_starts_must_exist(space: Path) -> None:
    write_card(space, sdk="docker", app_file="main.go")
    assert "needs a Dockerfile" in only(space).message
    (space / "Dockerfile").write_text("FROM python:3.12-slim\n")
    (space / "requirements.txt").write_text("gradio==6.31.0\n")
    assert found(space) == []
    write_card(space, sdk="static", app_file=None, sdk_version=None)
    assert "'index.html' is not among" in only(space).message
    write_card(space, sdk="static", app_file="dist/index.html", app_build_command="npm run build")
    assert found(space) == []
    (space / "requirements.txt").unlink()
    write_card(space, sdk=None)
    assert "no sdk" in only(space).message
    (space / "README.md").unlink()
    assert "no README.md" in only(space).message


def test_the_constants_agree_with_the_tables() -> None:
    tiers = yaml.safe_load((TABLES / "tiers.yml").read_text("utf-8"))
    assert set(card_values.FLAVORS) == set(tiers)
    card = yaml.safe_load((TABLES / "card.yml").read_text("utf-8"))
    assert set(card_values.LICENSES) == set(card["licenses"])
    assert set(card_values.COLORS) == set(card["colors"])
    versions = {f"{major}.{minor}" for major, minor in card_values.ZERO_GPU_PYTHONS}
    for_spaces = set(card["python_versions"])  # a Space that was made elsewhere may have others
    assert versions & for_spaces == set(card["zero_gpu_python_versions"])


def test_conflict_markers_and_leftovers(space: Path) -> None:
    marks = ["<" * 7 + " before", "a = 1", "=" * 7, "a = 2", ">" * 7 + " after"]
    (space / "notes.md").write_text("Heading\n" + "=" * 7 + "\n")
    (space / "config.ini").write_text("\n".join(marks) + "\n")
    (space / "app.py.rej").write_text("")
    (space / "app.py.orig").write_text("")
    places = [(item.level, item.path, item.line) for item in space_check.check(space)]
    conflicts = [("error", "config.ini", line) for line in (1, 3, 5)]
    leftovers = [("error", "app.py.orig", None), ("error", "app.py.rej", None)]
    assert places == leftovers + conflicts


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_found_and_never_printed(
    space: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (space / "notes.txt").write_text(f"first line\nvalue: {TOKENS[kind]}\n")
    assert space_check.main([str(space)]) == 1
    output = capsys.readouterr().out
    assert f"notes.txt:2: error: {kind} in the file" in output
    assert BODY[:12] not in output
    assert UPPER not in output


def test_placeholders_and_mentions_are_no_tokens(space: Path) -> None:
    lines = [
        "hf" + "_xxx",
        "hf" + "_" + "x" * 34,
        "hf" + "_" + "fake" * 9,
        "hf" + "_" + "abcdefghijklmnopqrstuvwxyz12345678",
        "hf" + "_...",
        "from x import hf" + "_hub_download_to_some_local_directory",
        "OPENAI_API_KEY=sk" + "-proj-your-key-goes-here-please",
        "the ri" + "sk" + "-" + BODY[:40],
        "AK" + "IA" + "IOSFODNN7" + "EXAMPLE",
        "if '-----BEGIN " + "PRIVATE KEY-----' in text: ...",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END " + "PRIVATE KEY-----",
    ]
    (space / "notes.txt").write_text("\n".join(lines))
    assert found(space) == []


def test_a_quoted_value_or_a_file_name_does_not_print_a_token(
    space: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = TOKENS["Hugging Face token"]
    write_card(space, license=token, header="x" * 60 + token)
    (space / f"{token}.py").write_text("def broken(:\n")
    assert space_check.main([str(space)]) == 1
    output = capsys.readouterr().out
    assert "license is '[redacted]'" in output
    assert BODY[:4] not in output
    (space / "README.md").write_text(f"---\n{token}: 1\n{token}: 2\n---\n")
    assert all(BODY[:4] not in item.message for item in space_check.check(space))


def test_sizes_and_lfs(space: Path) -> None:
    (space / "data").mkdir()
    for name in ("exact.bin", "over.bin", "data/over.bin", "data/plain.bin"):
        (space / name).touch()
        os.truncate(space / name, 10 * MIB + (name != "exact.bin"))
    assert [item.path for item in space_check.check(space)] == [
        "data/over.bin",
        "data/plain.bin",
        "over.bin",
    ]
    (space / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (space / "data" / ".gitattributes").write_text("plain.* -filter\n")
    assert only(space).path == "data/plain.bin"
    (space / "data" / "plain.bin").unlink()
    os.truncate(space / "over.bin", 1025 * MIB)
    (total,) = check_sizes(list_files(space))  # all checks would read 1 GiB of zeros
    assert (total.level, total.path) == ("warning", ".")
    os.truncate(space / "over.bin", 1000 * MIB)
    assert check_sizes(list_files(space)) == []


@pytest.mark.parametrize(
    ("python", "source", "line"),
    [
        ('"3.12"', b"x = 1\nprint 'x'\n", 2),
        ('"3.12"', b"return 1\n", 1),
        ('"3.12"', b"x = 'a\0b'\n", None),
        ('"3.12"', b"# coding: nonsense\n", None),
        ('"3.12"', b"x = " + b"(" * 5000 + b"\n", None),
        (None, b"try:\n    pass\nexcept* OSError:\n    pass\n", 4),
        ('"3.12"', b"# coding: latin-1\nx = '\xe9'\n", "passes"),
        ('"3.12"', b"try:\n    pass\nexcept* OSError:\n    pass\n", "passes"),
    ],
)
def test_python_syntax(space: Path, python: str | None, source: bytes, line: int | str) -> None:
    write_card(space, python_version=python)
    (space / "tool.py").write_bytes(source)
    if line == "passes":
        assert found(space) == []
        return
    finding = only(space)
    assert (finding.level, finding.path) == ("error", "tool.py")
    assert line is None or finding.line == line


@pytest.mark.parametrize(
    ("requirements", "level", "message"),
    [
        ("numpy\ngradio\n", "error", "the platform adds gradio itself"),
        ("numpy\nspaces==0.51.3\n", "error", "the platform adds spaces itself"),
        ("numpy\nhuggingface_hub[cli]>=1\n", "error", "adds huggingface-hub itself"),
        ("numpy\nHuggingFace-Hub\n", "error", "adds huggingface-hub itself"),
        ("numpy\ngradio @ https://example.org/g.whl\n", "error", "adds gradio itself"),
        ("numpy\nsix==1.16 \\\n  --hash=sha256:ab\n", "error", "with hashes"),
        ("numpy\n--require-hashes\n", "error", "with hashes"),
        ("numpy\ntorch==2.8.0+cpu\n", "error", "CPU build"),
        ("numpy\n--extra-index-url https://example.org/whl/cpu\n", "error", "CPU builds"),
        ("numpy\npydantic==2.13\n", "warning", "exact version of pydantic"),
        ("numpy\nnumpy=>1\n", "error", "cannot read"),
        ("numpy\nnot a name\n", "error", "cannot read"),
        ("numpy\n--fast\n", "error", "no option --fast"),
        ("numpy\n-r missing.txt\n", "error", "missing.txt is not among"),
    ],
)
def test_requirements_that_end_the_build(
    space: Path, requirements: str, level: str, message: str
) -> None:
    (space / "requirements.txt").write_text(requirements)
    finding = only(space)
    assert (finding.level, finding.path, finding.line) == (level, "requirements.txt", 2)
    assert message in finding.message


def test_requirements_that_are_fine(space: Path) -> None:
    lines = [
        "# comment\n--pre",
        "--extra-index-url https://example.org/whl/cpu",
        "torch==2.8.0+cpu ; python_version < '3.14'",
        "uvicorn[standard]>=0.30,<1\npydantic~=2.11\nscipy == 1.*",
        "git+https://example.org/x.git@main#egg=x\n./wheels/x-1.0-py3-none-any.whl\n-e .",
        "-r more.txt",
    ]
    write_card(space, suggested_hardware="cpu-basic")
    (space / "requirements.txt").write_text("\n".join(lines))
    (space / "more.txt").write_text("-c requirements.txt\nspaces\n")
    finding = only(space)
    assert (finding.path, finding.line) == ("more.txt", 2)
