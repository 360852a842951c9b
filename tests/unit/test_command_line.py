"""The command line as a whole: help that is complete and fits, hints at what was meant, one table of exit codes."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from core.paths import ROOT, SAMPLE_DATA
from core.recipe.field_names import ALIASES, nearest_field
from core.recipe.recipe import KNOBS, get, is_shown
from core.recipe.rules.validate import validate
from core.recipe.yamlfile import check, load
from tui.app import TunedeckApp
from tui.cli import main
from tui.commands.environment import VARIABLES
from tui.commands.exit_codes import EXIT_CODES
from tui.commands.table import COMMANDS
from tui.commands.tree import parser
from tui.session import Session

INTERNAL = {"WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
"""What torchrun sets for the processes that it starts."""


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_sentence_and_the_help_fits_80_columns(name: str) -> None:
    command = parser(name).command(name)
    for action in command._actions:
        assert action.help, action.dest
        assert action.help.endswith("."), action.help
        assert "WORKSPACE" not in command.format_help()
    text = command.format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert [word for word in (*map(str, EXIT_CODES), "settings.toml", "Examples:") if word not in text] == []


def test_the_programs_own_help_names_commands_exit_codes_variables_and_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    named = [*COMMANDS, *map(str, EXIT_CODES), *(variable.name for variable in VARIABLES)]
    assert [word for word in named if not re.search(rf"^  {re.escape(word)}\b", text, re.MULTILINE)] == []
    assert "~/.config/tunedeck/settings.toml" in text


def test_every_example_is_a_command_line_that_the_parser_takes() -> None:
    for name, info in COMMANDS.items():
        assert info.examples
        for example in info.examples:
            words = example.partition(" >")[0].split()
            assert words[0] == name
            parser(name).parse_args(words)


def test_every_variable_that_the_program_reads_is_in_the_help() -> None:
    """Names in `os.environ.get("X")`, `environ["X"]` and the like, wherever the program reads its environment."""
    known = {name for variable in VARIABLES for name in variable.name.split(", ")}
    found = set()
    for path in [*(ROOT / "core").rglob("*.py"), *(ROOT / "tui").rglob("*.py")]:
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "environ" in source or "getenv" in source else ():
            key = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                key = node.args[0] if node.func.attr in ("get", "getenv") else None
                where = ast.unparse(node.func.value)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                key, where = node.slice, ast.unparse(node.value)
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and where in ("os", "os.environ"):
                found.add(key.value)
    assert len(found) > 10
    assert found - known - INTERNAL == set()


def test_the_readme_has_the_exit_codes_of_the_program() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES.items():
        word = re.split(r"\W", meaning)[0]
        assert re.search(rf"\b{code}\b\W+(\w+ ){{0,3}}?{word}", text, re.IGNORECASE), (code, word)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ("--learning_rate=1e-4", "training.learning_rate=1e-4"),
        ("--learning-rate=1e-4", "training.learning_rate=1e-4"),
        ("--learning_rte=1e-4", "training.learning_rate=1e-4"),
        ("--lora-r=8", "lora.rank=8"),
        ("--r=8", "lora.rank=8"),
        ("--lora.rank=8", "lora.rank=8"),
        ("--lora_alpha=8", "lora.alpha=8"),
        ("--per_device_train_batch_size=2", "training.batch_size=2"),
        ("--num_train_epochs=3", "training.epochs=3"),
        ("--epochs", "training.epochs=VALUE"),
    ],
)
def test_a_field_that_is_written_as_an_option_hints_at_set(
    capsys: pytest.CaptureFixture[str], typed: str, field: str
) -> None:
    said = refused(["train", typed, "recipe.yaml"], capsys)
    assert typed.partition("=")[0] in said
    assert f"`--set {field}`" in said


def test_the_value_that_follows_is_in_the_hint_and_a_file_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert "training.learning_rate=2e-4`" in refused(["train", "r.yaml", "--learning_rate", "2e-4"], capsys)
    assert "training.learning_rate=VALUE`" in refused(["train", "--learning_rate", "r.yaml"], capsys)


def test_every_alias_names_a_field_and_is_none_itself() -> None:
    assert {alias: path for alias, path in ALIASES.items() if path not in KNOBS} == {}
    names = {path.rpartition(".")[2] for path in KNOBS}
    assert {alias for alias in ALIASES if alias in names - {"name"}} == set()
    assert nearest_field("wholly_unknown", KNOBS) == ""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["tran", "recipe.yaml"], "`train`"),
        (["trian"], "`train`"),
        (["scna", "x.jsonl"], "`scan`"),
        (["exportdata"], "`export-data`"),
        (["--them", "light"], None),  # an abbreviation, as argparse takes it
        (["--themes=light"], "`--theme`"),
        (["runs", "--jsn"], "`--json`"),
        (["queue", "ad", "x.yaml"], "`add`"),
        (["--theme", "light", "train"], "`tunedeck train ...`"),
    ],
)
def test_a_mistyped_command_or_option_says_what_was_meant(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    meant: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(words, capsys)
    assert "Traceback" not in said
    assert meant is None or meant in said


def test_a_mistyped_file_says_which_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.jsonl").write_text("{}\n")
    (tmp_path / "recipe.yaml").write_text("name: a\n")
    assert "`tickets.jsonl`?" in refused(["tickest.jsonl"], capsys)
    assert "`tickets.jsonl`?" in refused(["scan", "tickest.jsonl"], capsys)
    assert "`recipe.yaml`?" in refused(["train", "recpie.yaml"], capsys)


def test_with_json_a_mistyped_option_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json", "--al-l"]) == 2
    assert '"exit_code": 2' in capsys.readouterr().out


def test_help_of_a_command_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["help", "train"], ["train", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "usage: tunedeck train" in capsys.readouterr().out


# -- init ---------------------------------------------------------------------------------------------------


def test_init_writes_every_common_field_with_its_help_and_it_validates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    words = ["init", "support.yaml", "tickets.jsonl", "--model", str(SAMPLE_DATA / "tiny_base"), "--set", "lora.rank=8"]
    assert main(words) == 0
    assert "tunedeck train support.yaml" in capsys.readouterr().out
    text = (tmp_path / "support.yaml").read_text()
    assert max(map(len, text.splitlines())) <= 80 + len(str(SAMPLE_DATA))
    recipe = load(tmp_path / "support.yaml")
    assert (recipe.lora.rank, recipe.data.train) == (8, (str(tmp_path / "tickets.jsonl"),))
    assert [problem for problem in validate(recipe) if problem.severity == "error"] == []
    for path, knob in KNOBS.items():
        shown = re.search(rf"^(  )?{knob.name}:", text, re.MULTILINE) is not None
        if not knob.advanced and is_shown(recipe, path):
            assert shown, path
            assert f"# {knob.title}. " in text, path
        if path not in ("lora.rank", "data.train", "model.path"):
            assert get(recipe, path) == knob.default, path
    assert "training.weight_decay" in text, "advanced fields are named"


def test_init_never_overwrites_and_says_what_is_still_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--all"]) == 0
    said = capsys.readouterr().out
    assert "model.path and data.train" in said
    text = (tmp_path / "recipe.yaml").read_text()
    assert "weight_decay:" in text
    assert check(text)[1] == []
    assert "not overwritten" in refused(["init"], capsys)
    assert (tmp_path / "recipe.yaml").read_text() == text
    assert "gone.jsonl" in refused(["init", "new.yaml", "gone.jsonl"], capsys)
    assert not (tmp_path / "new.yaml").exists()


# -- completion ---------------------------------------------------------------------------------------------


def completed(script: Path, folder: Path, *words: str) -> list[str]:
    """What bash offers after these words, of which the last is the one that the cursor is on."""
    line = " ".join(words)
    ask = f"""source {script}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'
_shtab_tunedeck tunedeck; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", ask], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_options_files_folders_and_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    here = tmp_path / "here"
    (here / "runs" / "2026-11-21-231204-support").mkdir(parents=True)
    (here / "recipe.yaml").touch()
    assert completed(script, here, "tunedeck", "tr") == ["train", "trust"]
    assert completed(script, here, "tunedeck", "train", "--de") == ["--detach"]
    assert completed(script, here, "tunedeck", "train", "rec") == ["recipe.yaml"]
    assert completed(script, here, "tunedeck", "stop", "2026") == ["2026-11-21-231204-support"]
    assert completed(script, here, "tunedeck", "runs", "--workspace", "") == ["runs"]
    assert completed(script, here, "tunedeck", "queue", "") >= ["list", "add"]


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "#compdef tunedeck"), ("fish", "complete -c tunedeck")])
def test_zsh_and_fish_get_every_command(capsys: pytest.CaptureFixture[str], shell: str, mark: str) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert mark in script
    assert [name for name in COMMANDS if name not in script] == []
    assert [info.summary for info in COMMANDS.values() if info.summary not in script] == []
    assert "command ls -1 runs" in script


# -- the app ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "screen", "data"),
    [
        (["recipe.yaml"], "recipe", ["support_train.jsonl"]),
        (["--recipe", "recipe.yaml"], "recipe", ["support_train.jsonl"]),
        (["rows.jsonl", "recipe.yaml"], "recipe", ["rows.jsonl"]),
        (["rows.jsonl"], "data", ["rows.jsonl"]),
        ([], "data", []),
        (["demo"], "data", ["support_train.jsonl"]),
    ],
)
def test_what_is_named_decides_which_screen_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], screen: str, data: list[str]
) -> None:
    opened = []

    class Recorder(TunedeckApp):
        def run(self, **_: object) -> None:
            opened.append((self._start, [path.name for path in self.session.data]))

        def __init__(self, session: Session, *, start: str, theme: str | None) -> None:
            self.session, self._start, self._return_code = session, start, 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tui.app.TunedeckApp", Recorder)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for effect in ("signal.signal", "gc.set_threshold"):  # on the whole process
        monkeypatch.setattr(effect, lambda *_: None)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    recipe = (SAMPLE_DATA / "recipe.yaml").read_text().replace("./", f"{SAMPLE_DATA}/")
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert main(words) == 0
    assert opened == [(screen, data)]
