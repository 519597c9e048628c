"""The examples of docs/command-line.md, run as they stand.

In a console block, a line that begins with ``$`` is a command, and those below it what it prints, stdout first. ``...``
stands for anything, alone for any lines; blanks may differ in number. ``<name>`` takes a word from the output and gives
it to later commands. ``$ echo $?`` shows the exit code of the command before, which is 0 where it is not shown.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.simulator import RunningSimulator

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
PIECE = re.compile(r"<!-- fault: (?P<fault>.*?) -->|```(?P<kind>console|toml)\n(?P<text>.*?)```", re.DOTALL)


class Reader:
    """Follows the page."""

    def __init__(self, run: Any, words: dict[str, str]) -> None:
        self.run = run
        self.words = words
        self.code = 0
        self.ran = 0

    def follow(self, block: str) -> None:
        """Run the commands of a block, and hold what they print against what stands below them."""
        for command, expected in _commands(block):
            if command == "echo $?":
                assert expected == [str(self.code)]
                self.code = 0
                continue
            assert self.code == 0, f"the command before {command!r} failed, and the page does not show its exit code"
            self.compare(command, expected, self._printed(command))
        assert self.code == 0, "the last command of a block failed, and the page does not show its exit code"

    def _printed(self, command: str) -> list[str]:
        for name, word in self.words.items():
            command = command.replace(f"<{name}>", word)
        command, _, target = command.partition(" > ")
        if target:
            Path(target).write_text(command.removeprefix("echo ") + "\n")
            return []
        command, _, source = command.partition(" < ")
        program, *arguments = shlex.split(command)
        assert program == "voucher-gateway"
        ran = self.run(*arguments, stdin=Path(source).read_text() if source else "")
        self.code = ran.code
        self.ran += 1
        printed: str = ran.out + ran.err
        return printed.splitlines()

    def compare(self, command: str, expected: list[str], printed: list[str]) -> None:
        """Compare line by line what a command printed with what stands below it; blank lines do not count."""
        names: list[str] = []
        patterns = [self._line_pattern(line, names) for line in expected if line.strip()]
        words = _match_lines(patterns, [line.strip() for line in printed if line.strip()])
        assert words is not None, "\n".join([f"$ {command}", *printed])
        self.words.update(zip(names, words, strict=True))

    def _line_pattern(self, line: str, names: list[str]) -> re.Pattern[str] | None:
        """Return the pattern of a line, None for one that stands for any lines, and add the names of its new words."""
        if line == "...":
            return None
        pattern = ""
        for part in re.split(r"(\.\.\.|<[a-z]+>|\s+)", line.strip()):
            name = part[1:-1]
            if part == "...":
                pattern += ".*?"
            elif re.fullmatch("<[a-z]+>", part) and name in self.words:
                pattern += re.escape(self.words[name])
            elif re.fullmatch("<[a-z]+>", part):
                names.append(name)
                pattern += r"([^\s\"]+)"
            else:
                pattern += r"\s+" if part.isspace() else re.escape(part)
        return re.compile(pattern)


def _match_lines(patterns: list[re.Pattern[str] | None], lines: list[str]) -> list[str] | None:
    """Return the words that the patterns take from the lines; None if the lines do not match."""
    if not patterns:
        return None if lines else []
    first, *others = patterns
    if first is None:
        rests = (_match_lines(others, lines[count:]) for count in range(len(lines) + 1))
        return next((words for words in rests if words is not None), None)
    match = first.fullmatch(lines[0]) if lines else None
    words = None if match is None else _match_lines(others, lines[1:])
    return None if match is None or words is None else [*match.groups(), *words]


def _commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Split a block into its commands and what stands below each."""
    lines = block.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start].removeprefix("$ "), lines[start + 1 : end]


def test_every_example_of_the_page_prints_what_stands_below_it(
    run: Any, both: dict[str, RunningSimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, events = both["shop"].announcement, both["events"].announcement
    monkeypatch.setenv("JTL_SECRET", shop["client_secret"])
    monkeypatch.setenv("VIVENU_KEY", events["api_key"])
    reader = Reader(run, {"jtl": shop["base_url"], "pin": shop["connect_pin"]})
    for piece in PIECE.finditer(PAGE.read_text("utf-8")):
        if piece["fault"]:
            both["shop"].inject(*piece["fault"].split(" ", 1))
        elif piece["kind"] == "toml":
            tomllib.loads(piece["text"])
            config = piece["text"].replace('client_id = "..."', f'client_id = "{shop["client_id"]}"')
            config = config.replace("http://127.0.0.1:8101/v1", shop["base_url"])
            (tmp_path / "voucher-gateway.toml").write_text(config.replace("http://127.0.0.1:8102", events["base_url"]))
        else:
            reader.follow(piece["text"])
    assert reader.ran > 25


def test_the_page_shows_every_command(run: Any) -> None:
    page = PAGE.read_text("utf-8")
    commands = re.findall(r"^  ([a-z][a-z-]+) {2,}", run("--help").done().out, re.MULTILINE)
    assert len(commands) >= 22
    assert [name for name in commands if f"voucher-gateway {name}" not in page] == []
