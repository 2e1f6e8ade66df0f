"""The README's examples: the Python runs, and the commands can be typed."""

import re
import shlex
from pathlib import Path

import pytest

from fastnn.cli.parser import make_parser

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [
    line.split("/bin/")[-1] if "/bin/" in line else line
    for block in blocks("sh")
    for line in block.splitlines()
    if re.search(r"(^|/bin/)fastnn ", line)
]


def test_there_are_examples() -> None:
    assert len(blocks("python")) >= 3
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed(line: str) -> None:
    program, *argv = shlex.split(line, comments=True)
    assert program == "fastnn"
    assert make_parser().parse_args(argv).command == argv[0]
