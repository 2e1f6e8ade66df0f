"""``fastnn lecture``: the lecture's examples, with their numbers and drawings."""

from __future__ import annotations

import argparse
import contextlib
import inspect
from importlib import import_module
from pathlib import Path

from fastnn.cli.interrupts import held
from fastnn.cli.usage import UsageError
from fastnn.lecture import TOPICS, topic

_HINT = """
fastnn lecture TOPIC shows one of them, or all; --save FOLDER writes its drawings, and
--code prints its Python code."""


def run(args: argparse.Namespace) -> int:
    """Show what ``args`` ask for and return the exit status."""
    if args.topic is None:
        if args.save is not None or args.code:
            raise UsageError("which topic? Name one, or all")
        for name, title in TOPICS.items():
            print(f"{name:<11}{title}")
        print(_HINT)
        return 0
    names = list(TOPICS) if args.topic == "all" else [args.topic]
    if args.code:
        for name in names:
            print(_code(name))
        return 0
    folder = None if args.save is None else Path(args.save)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name != names[0]:
            print("\n")
        _show(name, folder)
    return 0


def _show(name: str, folder: Path | None) -> None:
    with held():
        from fastnn.lecture.page import Page

        module = topic(name)
        if folder is not None:
            with contextlib.suppress(ImportError):  # the page says so, where it is needed
                import_module("fastnn.lecture.figure")
    title = f"{name}: {TOPICS[name]}"
    print(title)
    print("=" * len(title))
    page = Page(folder)
    module.show(page)
    page.end(name)


def _code(name: str) -> str:
    with held():
        module = topic(name)
    return inspect.getsource(module).rstrip("\n")
