"""A Space that was not made here moves in by the commands of docs/adopt.md."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hub import Hub
from publishing import Here, here

PAGE = Path(__file__).parent.parent / "docs" / "adopt.md"
OLD = {
    "README.md": b"---\ntitle: Old\nsdk: gradio\nsdk_version: 5.0.0\napp_file: app.py\n---\n",
    "app.py": b"import gradio as gr\n\ngr.Interface(str.upper, 'text', 'text').launch()\n",
    "requirements.txt": b"requests==2.30.0\n",
    "words.txt": b"one\ntwo\n",
}
WHO = ["-c", "user.name=me", "-c", "user.email=me@example.com"]


def clone(hub: Hub, repo_id: str, folder: Path) -> None:
    """What `git clone` makes; the local Hub speaks no git."""
    for path, content in hub.space(repo_id).files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        [*WHO, "commit", "-qm", "as there"],
        ["remote", "add", "origin", f"{hub.url}/spaces/{repo_id}"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def test_the_commands_of_the_page_bring_a_space_in(
    hub: Hub, command: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = hub.add_space("me/old", OLD)
    there.variables["GREETING"] = "hello"
    clone(hub, "me/old", tmp_path / "old")
    monkeypatch.chdir(tmp_path)
    section = PAGE.read_text(encoding="utf-8").partition("## A Space that was not made here")[2]
    blocks = re.findall(r" *```bash\n(.*?)```", section, re.DOTALL)
    ran = []
    for line in filter(str.strip, "".join(blocks).splitlines()):
        words = shlex.split(line)
        if words[0] == "spaces-gen":
            command.well(*words[1:])
        elif words[:2] != ["git", "clone"]:
            subprocess.run(words, check=True, capture_output=True)
        ran.append(words[0])
    assert ran == ["git", "spaces-gen", "cp", "git", "spaces-gen", "spaces-gen"]
    files = there.files()
    assert files == here(tmp_path / "old")
    assert b"server.launch(demo, run)" in files["app.py"]
    assert files["words.txt"] == OLD["words.txt"]
    assert there.variables == {"GREETING": "hello"}
    command.well("upgrade", "old", "--hardware", "t4-small")


def test_without_the_clone_nothing_is_overwritten(
    hub: Hub, command: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the page's way is needed."""
    there = hub.add_space("me/old", OLD)
    monkeypatch.chdir(tmp_path)
    command.well("new", "fresh", "--model-type", "custom", "--defaults")
    assert "was never published from here" in command.refused(
        "publish", "fresh", "--repo-id", "me/old"
    )
    assert there.files()["app.py"] == OLD["app.py"]
