"""What the tests of `spaces-gen upgrade`, `diff` and `adopt` share."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import copier._user_data
import jinja2
import pytest
from huggingface_hub import set_client_factory
from huggingface_hub.utils._http import default_client_factory

from spaces_gen import adopt
from spaces_gen.cli import main
from spaces_gen.render import render, render_template
from spaces_gen.upgrading import change
from spaces_gen.upgrading.files import File
from spaces_gen.upgrading.merge import Merge
from spaces_gen.upgrading.versions import Template

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".cache" / "rendered"
ANSWERS = ".copier-answers.yml"
UNDO = ".spaces-gen-undo"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]

Tree = dict[str, bytes]


# -- renders ---------------------------------------------------------------------------------------


@functools.cache
def digest() -> str:
    """Of everything that a render depends on."""
    package = ROOT / "generator" / "spaces_gen"
    paths = [ROOT / "copier.yml", package / "render.py", package / "bundle.py", Path(__file__)]
    for folder in (ROOT / "template", package / "tables"):
        paths += [path for path in folder.rglob("*") if path.is_file()]
    found = hashlib.sha256()
    for name in ("copier", "jinja2", "pyyaml"):
        found.update(f"{name} {version(name)}\n".encode())
    for path in sorted(path for path in paths if "__pycache__" not in path.parts):
        found.update(f"{path.relative_to(ROOT)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


@contextlib.contextmanager
def fast_renders() -> Iterator[None]:
    """Lets Jinja compile and YAML parse each text once, and Copier ask git nothing.

    Hundreds of renders take a fifth of the time; a test compares one with that of plain Copier.
    """
    compile_text = jinja2.Environment.compile

    def compile_once(self: Any, source: Any, *more: Any, **options: Any) -> Any:
        key = (source, more, *options.items())
        if not isinstance(source, str):
            return compile_text(self, source, *more, **options)
        if key not in COMPILED:
            COMPILED[key] = compile_text(self, source, *more, **options)
        return COMPILED[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinja2.Environment, "compile", compile_once)
        patch.setattr(copier._user_data, "parse_yaml_string", parse_once)
        patch.setitem(copier._user_data.CAST_STR_TO_NATIVE, "yaml", parse_once)
        patch.setattr("copier._main.is_git_available", lambda: False, raising=False)
        yield


COMPILED: dict[Any, Any] = {}


def parse_once(text: str) -> Any:
    """What Copier makes of an answer; most are tables of the template, the same in each render."""
    if text not in PARSED:
        PARSED[text] = pickle.dumps(PARSE(text))
    return pickle.loads(PARSED[text])  # nobody changes that of another


PARSE = copier._user_data.parse_yaml_string
PARSED: dict[str, bytes] = {}


def made(answers: dict[str, Any], space: Path) -> Tree:
    """The files of a Space that is rendered into a folder."""
    with fast_renders():
        render(answers, space)
    return take(space)


@functools.cache
def fresh(
    model_type: str = "text-classification",
    hardware: str = "cpu-basic",
    version: str | None = None,
) -> Tree:
    """The files of a freshly rendered Space; kept between runs until the template changes.

    Args:
        version: of the template, one of VERSIONS; None for the one at hand.
    """
    kept = KEPT / digest() / f"{model_type}.{hardware}.{version}.zip"
    if not kept.exists():
        for old in KEPT.glob("*"):
            if old.name != digest():
                shutil.rmtree(old, ignore_errors=True)
        answers = {"model_type": model_type, "hardware": hardware}
        with tempfile.TemporaryDirectory() as temporary, fast_renders():
            space = Path(temporary) / "space"
            if version is None:
                render(answers, space)
            else:
                template = copy_template(Path(temporary) / "template")
                set_version(template, version)
                render_template(
                    template, answers, space, {"_src_path": f"{TEAM}.git", "_commit": version}
                )
            files = take(space)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(packed.getvalue())
        os.replace(part, kept)
    with zipfile.ZipFile(kept) as archive:
        return {path: archive.read(path) for path in archive.namelist()}


# -- versions of the template ----------------------------------------------------------------------

# None of them was ever released: a checkout of this repository that has tags must not know them.
VERSIONS = ("v0.0.1", "v0.0.2", "v0.0.3")
PUBLIC = "https://github.com/spaces-gen/spaces-gen"
TEAM = "https://templates.example/team/spaces-gen"  # somebody's copy of the template
BATCHER = "serving/batcher.py"
NEW_FILE = "serving/greeting.py"  # from v0.0.2 on
DROPPED_FILE = "serving/old.py"  # before v0.0.2
OF_TEXTS = "{% if model_type == 'text-classification' %}.{% endif %}"
QUESTION = """greeting:
  type: str
  help: What does it say first?
  default: Hello

examples_cache:
"""


def copy_template(folder: Path) -> Path:
    """The template of the working tree as people fetch it; returns its folder."""
    leave_out = shutil.ignore_patterns("__pycache__", ".ruff_cache", ".mypy_cache")
    for name in ("template", "hooks", "generator/spaces_gen/tables"):
        shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
    for name in ("copier.yml", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    return folder


def set_version(folder: Path, version: str) -> None:
    """Make a copy of the template into the one that a version had."""
    template = folder / "template"
    if version == "v0.0.1":
        (template / DROPPED_FILE).write_text('"""Of another time."""\n\nOLD = 1\n')
        return
    (template / f"{NEW_FILE}.jinja").write_text("GREETING = {{ greeting | to_json }}\n")
    replace(folder / "copier.yml", "examples_cache:\n", QUESTION)
    replace(template / BATCHER, "in few calls of `predict`.", "in few calls, all of `predict`.")
    replace(template / OF_TEXTS / "app.py", "lines=5", "lines=6")
    replace(template / "README.md.jinja", "Answers are kept in memory", "They are in memory")
    replace(template / "requirements.txt.jinja", "httptools>=0.6", "httptools>=0.7")
    if version == "v0.0.3":
        replace(template / BATCHER, "in few calls, all of `predict`.", "in few calls.")
        replace(template / "README.md.jinja", "## Run it", "It is fast.\n\n## Run it")
        replace(template / "tuning.py.jinja", "The values:\n", "And the values:\n")
        examples = template / OF_TEXTS / "examples" / "examples.json"
        replace(examples, "arrived a day late", "arrived a day early")


def replace(path: Path, old: str, new: str) -> None:
    """Replace what stands in a file once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path.name} holds {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new), encoding="utf-8")


@dataclass(frozen=True)
class Server:
    """All versions of the template, served by git.

    Attributes:
        variables: with them git and Copier find both addresses there.
        repository: a checkout of the newest version.
    """

    variables: dict[str, str]
    repository: Path

    def copier(self, cwd: Path, *arguments: str) -> str:
        """What the command `copier` says, without trust and without a terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "copier", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            env={**outer(), **self.variables},
        )
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The template in all its versions, at both addresses."""
    base = tmp_path_factory.mktemp("served")
    repository = base / "checkout"
    repository.mkdir()
    for tag in VERSIONS:
        for path in repository.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        copy_template(repository)
        set_version(repository, tag)
        commit(repository, tag)
        git(repository, "tag", tag)
    git(base, "clone", "-q", "--bare", str(repository), str(base / "spaces-gen.git"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}")
    process = subprocess.Popen(
        ["git", "daemon", *options, f"--base-path={base}", str(base)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None
            time.sleep(0.05)
        address = f"url.git://127.0.0.1:{port}/.insteadOf"
        settings = put({"settings.yml": b"{}\n"}, base) / "settings.yml"
        variables = {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": address,
            "GIT_CONFIG_VALUE_0": PUBLIC.removesuffix("spaces-gen"),
            "GIT_CONFIG_KEY_1": address,
            "GIT_CONFIG_VALUE_1": TEAM.removesuffix("spaces-gen"),
            "COPIER_CACHE_DIR": str(base / "cache"),
            "COPIER_SETTINGS_PATH": str(settings),
        }
        yield Server(variables, repository)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


# -- files -----------------------------------------------------------------------------------------


def take(folder: Path) -> Tree:
    """Every file of a folder by its path, but those of git; a link is what it says."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] == ".git":
            continue
        if path.is_symlink():
            found[name.as_posix()] = b"-> " + os.fsencode(os.readlink(path))
        elif path.is_file():
            found[name.as_posix()] = path.read_bytes()
    return found


def put(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files into a folder; returns it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def as_tree(files: Mapping[str, bytes]) -> dict[str, File]:
    """Files as a merge takes them."""
    return {path: File(data) for path, data in files.items()}


class Memory:
    """The owner's files, in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files

    def read(self, path: str) -> File | None:
        data = self.files.get(path)
        return None if data is None else File(data)


def applied(files: Mapping[str, bytes], merge: Merge) -> Tree:
    """The owner's files after a merge."""
    left = {path: data for path, data in files.items() if path not in merge.deleted}
    return {**left, **merge.written}


def edited(files: Mapping[str, bytes], path: str, old: str, new: str) -> Tree:
    """The files with a text replaced that stands in one of them."""
    assert old.encode() in files[path], f"{path} holds no {old!r}"
    return {**files, path: files[path].replace(old.encode(), new.encode())}


# -- the command -----------------------------------------------------------------------------------


def run(
    *arguments: str | Path,
    package: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`spaces-gen` as a child process without a terminal.

    Args:
        package: the version that this spaces-gen has, in place of its own.
        env: variables beside those of this process.
    """
    command = [sys.executable, "-m", "spaces_gen"]
    if package is not None:
        change = f"import spaces_gen; spaces_gen.__version__ = {package!r}; "
        command = [sys.executable, "-c", change + "from spaces_gen.cli import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env={**outer(), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
    )


def outer() -> dict[str, str]:
    """The variables of this process, without those that a git hook leaves behind."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def run_here(
    *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same in this process, where the same render is made once; see `renders_once`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv, sys.argv = sys.argv, ["spaces-gen", *map(str, arguments)]
    stdin, sys.stdin = sys.stdin, io.StringIO()
    environment = dict(os.environ)
    os.environ.update(env or {})
    set_client_factory(default_client_factory)  # another test's has a deadline of its own
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        sys.argv, sys.stdin = argv, stdin
        os.environ.clear()
        os.environ.update(environment)
        set_client_factory(default_client_factory)  # the command's own has its deadline
    return subprocess.CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed that must not fail."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command was refused, with exit code 1."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("Error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def renders_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A render depends on nothing but the template's files and the answers, and takes long."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for module in (change, adopt):
        monkeypatch.setattr(module, "rendered", rendered_once)


def rendered_once(
    template: Template, answers: Mapping[str, Any], complaint: str = ""
) -> dict[str, File]:
    """`change.rendered`, but once for the same template and answers."""
    found = hashlib.sha256(json.dumps([dict(answers), template.provenance], default=repr).encode())
    for path in sorted(path for path in template.folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(template.folder)}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    key = found.hexdigest()
    if key not in RENDERS:
        with fast_renders():
            RENDERS[key] = RENDER(template, answers, complaint)
    return dict(RENDERS[key])


RENDER = change.rendered
RENDERS: dict[str, dict[str, File]] = {}


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder."""
    done = subprocess.run(
        [*GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=outer()
    )
    return done.stdout


def commit(folder: Path, message: str = "mine") -> None:
    """Commit all of a folder, making it a repository first where it is none."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", message, "--no-gpg-sign")
