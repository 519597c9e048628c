"""The start of the command line: what a command imports, and that the table of commands is true."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from voucher_gateway.cli.app import app
from voucher_gateway.cli.command_table import COMMANDS, GROUPS, HELP_OPTIONS, LazyCommand, split_docstring

CHILD = """
import json, sys
from voucher_gateway.cli import main
sys.argv = ["voucher-gateway", *{arguments!r}]
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""
HEAVY = ("sqlalchemy", "requests", "attr", "cattrs", "flask", "jinja2", "rich.table", "typer.rich_utils")


def commands() -> Iterator[tuple[str, str, str]]:
    """Return name, target and line of help of each command."""
    for table, prefix in ((COMMANDS, ""), *((table, f"{name} ") for name, table in GROUPS.items())):
        for panel in table.values():
            for name, (target, line) in panel.items():
                if target:
                    yield prefix + name, target, line


def imported(*arguments: str) -> list[str]:
    """Return the modules that a run of the command line imports."""
    ran = subprocess.run([sys.executable, "-c", CHILD.format(arguments=arguments)], capture_output=True, check=True)
    return list(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["operations", "--help"]])
def test_help_and_version_import_neither_a_library_nor_a_room_of_the_core(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert not {module for module in modules if module in HEAVY}
    own = {module for module in modules if module.startswith("voucher_gateway.")}
    assert {module.split(".")[1] for module in own} <= {"cli", "lazy"}


def test_a_command_imports_no_other_command() -> None:
    modules = imported("show", "--help")
    assert "voucher_gateway.cli.commands.vouchers.read" in modules
    others = ("orders.payments", "report", "migrate.run", "accounts.doctor", "demo.simulate", "demo.demo")
    assert not {f"voucher_gateway.cli.commands.{name}" for name in others} & set(modules)
    assert not any(module.startswith(("voucher_gateway.migration", "voucher_gateway.reports")) for module in modules)


def test_the_help_of_every_command_needs_neither_gateway_nor_database_nor_http() -> None:
    modules = sorted({target.partition(":")[0] for _, target, _ in commands()} - {"demo.demo"})
    code = "import sys\n" + "".join(f"import voucher_gateway.cli.commands.{module}\n" for module in modules)
    ran = subprocess.run([sys.executable, "-c", code + "print(*sys.modules)"], capture_output=True, check=True)
    imports = set(ran.stdout.decode().split())
    assert "voucher_gateway.cli.commands.transfer" in imports
    assert not {"sqlalchemy", "requests", "flask", "voucher_gateway.gateway.gateway"} & imports


@pytest.mark.parametrize(("name", "target", "line"), list(commands()))
def test_the_line_of_help_is_the_first_sentence_of_the_docstring(name: str, target: str, line: str) -> None:
    module, _, function = target.partition(":")
    text, examples = split_docstring(getattr(import_module(f"voucher_gateway.cli.commands.{module}"), function))
    assert " ".join(text.split()).startswith(line), name
    assert line.endswith(".")
    for example in re.findall(r"^ *voucher-gateway .*$", examples, re.MULTILINE):
        assert len(example) <= 76


@pytest.mark.parametrize(("name", "target", "line"), list(commands()))
def test_every_command_has_an_example_that_the_command_accepts(
    name: str, target: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del line
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vouchers.csv").touch()  # `import` looks for its file
    module, _, function = target.partition(":")
    _, examples = split_docstring(getattr(import_module(f"voucher_gateway.cli.commands.{module}"), function))
    written = re.findall(r"^ *voucher-gateway (.*(?:\n {8,}.*)*)$", examples, re.MULTILINE)
    assert written, name
    for example in written:
        arguments = shlex.split(example.partition(" < ")[0])
        arguments = [argument for argument in arguments if argument != "--json"]
        while arguments[0].startswith("--"):
            del arguments[:2]
        words = name.split()
        assert arguments[: len(words)] == words
        parse(target, words[-1], arguments[len(words) :])


def parse(target: str, name: str, arguments: list[str]) -> None:
    """Parse the arguments of a command without running it."""
    command = LazyCommand(name, rich_markup_mode=None)
    command.target = target
    command.make_context(name, arguments)


def test_the_commands_can_be_walked_by_tools() -> None:
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name="voucher-gateway")
    names = group.list_commands(context)
    assert names[0] == "demo"
    options = [
        option for parameter in group.get_command(context, "show").get_params(context) for option in parameter.opts
    ]
    assert "--reveal" in options
    assert HELP_OPTIONS["help_option_names"] == ["-h", "--help"]


def complete(words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return what bash offers after these words."""
    monkeypatch.setenv("_VOUCHER_GATEWAY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        app(prog_name="voucher-gateway")
    return capfd.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("voucher-gateway rel", ["release"]),
        ("voucher-gateway operations sh", ["show"]),
        ("voucher-gateway show ", ["shop", "till"]),
        ("voucher-gateway redeem t", ["till"]),
        ("voucher-gateway recover --account s", ["shop"]),
        ("voucher-gateway connect jt", ["jtl"]),
        ("voucher-gateway simulate tick", ["ticketing"]),
        ("voucher-gateway resolve shop red", ["redeem"]),
        ("voucher-gateway --config nowhere.toml show ", []),
    ],
)
def test_a_shell_completes_commands_accounts_providers_and_operations(
    words: str, offered: list[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOUCHER_GATEWAY_CONFIG", raising=False)
    (tmp_path / "voucher-gateway.toml").write_text("[accounts.shop]\n[accounts.till]\n")
    assert complete(words, monkeypatch, capfd) == offered


def test_a_completion_script_is_shown() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from voucher_gateway.cli import main; main()", "--show-completion"],
        env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 2)  # 2 where it wants the name of the shell
