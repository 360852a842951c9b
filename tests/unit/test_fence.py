"""Private names of Textual stand in one table, are used in one package, and are as they are known there."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from textual.app import App
from textual.events import Key, Paste

from core.paths import ROOT
from tests.kit.waiting import until
from tui.terminal import fence
from tui.terminal.fence import ATTRIBUTE, Part, Private, faults, holds
from tui.terminal.layer import PlainFrames
from tui.terminal.paste import END, START
from tui.terminal.plain_driver import PlainDriver

FILES = sorted((ROOT / "tui").rglob("*.py"))
LAYER = ROOT / "tui" / "terminal"
APP = "textual.app:App"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def names_of_ours() -> frozenset[str]:
    """Private names that our own modules and classes define, in `def` or by an assignment."""
    found: set[str] = {"_replace", "_exit", "_actions", "_SubParsersAction"}  # of tuples with names, `os`, `argparse`
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_self(node):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
    return frozenset(found - {private.name for private in fence.PRIVATE})


def _is_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def names_of_textual(path: Path) -> set[str]:
    """The private names and modules of Textual that a file touches."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in names_of_ours():
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and "textual._" in (node.module or ""):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "textual":
            found.update(alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("textual._"))
    return found


def test_this_textual_has_every_private_name_as_it_is_known() -> None:
    assert not fence.faults(), "\n".join(fence.faults().values())
    assert all(map(holds, Part)), "the tests run with the whole layer"


@pytest.mark.parametrize(
    ("private", "sentence"),
    [
        (Private(Part.RING, APP, "_no_such", ATTRIBUTE), "textual.app.App._no_such is gone, not an attribute."),
        (
            Private(Part.FRAMES, APP, "_display", "(self, screen)"),
            "textual.app.App._display is (self, screen, renderable), not (self, screen).",
        ),
        (Private(Part.FRAMES, APP, "_no_such", "(self)"), "textual.app.App._no_such is gone, not (self)."),
        (
            Private(Part.PROMPT, "textual.screen:Screen", "_dirty_widgets", "list"),
            "textual.screen.Screen._dirty_widgets is set, not list.",
        ),
        (
            Private(Part.PROMPT, "textual.screen:Screen", "_no_such", "set"),
            "textual.screen.Screen._no_such is gone, not set.",
        ),
        (
            Private(Part.COMPOSITOR, "textual._compositor:NoSuch", "feed", "(self)"),
            "textual._compositor.NoSuch.feed is gone with its class, not (self).",
        ),
        (
            Private(Part.COMPOSITOR, "textual._no_such:Compositor", "feed", "(self)"),
            "textual._no_such.Compositor.feed is not as expected (ModuleNotFoundError: No module named "
            "'textual._no_such'), not (self).",
        ),
    ],
)
def test_a_name_that_has_gone_or_changed_is_said_in_a_sentence(private: Private, sentence: str) -> None:
    assert faults([private]) == {private: f"{sentence} Without it, {private.part.value}."}


def test_no_file_outside_the_layer_touches_a_private_name_of_textual() -> None:
    touched = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if not path.is_relative_to(LAYER)
        for name in names_of_textual(path)
    }
    assert not touched


def test_the_table_lists_what_the_layer_touches_and_nothing_else() -> None:
    touched = {name for path in sorted(LAYER.glob("*.py")) for name in names_of_textual(path)}
    listed = {private.name for private in fence.PRIVATE} | {
        private.owner.partition(":")[2] for private in fence.PRIVATE if "._" in private.owner
    }
    assert touched - listed == set()
    assert {name for name in listed if is_private(name)} - touched == set()


@cache
def _own_names(owner: type) -> frozenset[str]:
    """The private names that a class defines, in its body and on `self`."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found.update(target.id for target in targets if isinstance(target, ast.Name))
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store) and _is_self(inner):
            found.add(inner.attr)
    return frozenset(filter(is_private, found))


def test_no_class_of_ours_has_a_private_name_that_textual_uses_on_it() -> None:
    """A mapping screen kept a file's name where Textual keeps the widget's."""
    for path in FILES:
        if path.stem != "__main__":
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    ours = {
        each
        for name, module in sys.modules.items()
        if name.startswith("tui.")
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__.startswith("tui.")
    }
    hidden = {
        f"{each.__module__}.{each.__name__}: {name} of {base.__name__}"
        for each in ours
        for base in each.__mro__
        if base.__module__.startswith("textual.")
        for name in _own_names(each) & _own_names(base)
    }
    assert hidden == {"tui.terminal.lean_compositor.LeanCompositor: _get_renders of Compositor"}


async def test_in_plain_mode_nothing_is_taken_for_shown_while_updates_are_gathered() -> None:
    app: App[None] = App()
    frames = PlainFrames(app)
    assert frames.sent
    with app.batch_update(), app.batch_update():
        assert not frames.sent
    assert frames.sent


async def test_the_plain_driver_posts_one_event_a_paste_whatever_it_holds() -> None:
    terminal, far_end = os.pipe()
    driver = PlainDriver(App())
    driver.fileno = terminal
    received: list[object] = []
    driver.send_message = received.append  # type: ignore[method-assign,assignment]

    def keys_and_pastes() -> list[str]:
        return [
            each.text if isinstance(each, Paste) else each.key for each in received if isinstance(each, Key | Paste)
        ]

    with ThreadPoolExecutor() as threads:
        reading = threads.submit(driver.run_input_thread)
        try:
            os.write(far_end, b"k" + START + b"colour \x1b[0mdq")
            until(lambda: keys_and_pastes() == ["k"], "a key, and no paste before its end")
            os.write(far_end, END + "éj".encode() + b"\x1b[A")
            until(lambda: len(keys_and_pastes()) == 5, "a paste and three keys")
            os.write(far_end, b"\x1b")
            until(lambda: len(keys_and_pastes()) == 6, "the escape key")
        finally:
            driver.exit_event.set()
            reading.result()
    assert keys_and_pastes() == ["k", "colour [0mdq", "é", "j", "up", "escape"]
    assert driver.fileno == terminal
    os.close(far_end)
    os.close(terminal)
