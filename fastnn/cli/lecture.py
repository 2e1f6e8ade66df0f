"""``fastnn lecture``: the lecture's examples, with their numbers and drawings."""

from __future__ import annotations

import argparse
import contextlib
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from fastnn.cli.interrupts import held
from fastnn.cli.usage import UsageError
from fastnn.lecture import IMPORTS, TOPICS, NotInstalledError, topic

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
    given = {"spec": args.data, "samples": args.samples}
    options = {name: value for name, value in given.items() if value is not None}
    if options and (args.code or "features" not in names):
        raise UsageError("--data and --samples are for the topic features, when it is run")
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
        try:
            _show(name, folder, options if name == "features" else {})
        except NotInstalledError as error:
            if args.topic != "all":
                raise
            print(f"\nnot shown: {error}")
    return 0


def _show(name: str, folder: Path | None, options: dict[str, Any]) -> None:
    with held():
        from fastnn.lecture.page import Page

        module = topic(name)
        needed = [IMPORTS[name]] if name in IMPORTS else []
        if folder is not None:
            needed.append("fastnn.lecture.figure")
        for each in needed:
            with contextlib.suppress(ImportError):  # the page says so, where it is needed
                import_module(each)
    title = f"{name}: {TOPICS[name]}"
    print(title)
    print("=" * len(title))
    page = Page(folder)
    module.show(page, **options)
    page.end(name)


def _code(name: str) -> str:
    with held():
        module = topic(name)
    return inspect.getsource(module).rstrip("\n")
