"""``python -m benchmarks.features`` makes the table of ``fastnn lecture features`` once more.

All of Fashion-MNIST (Debian: ``apt install dataset-fashion-mnist``).  The rows go to
``benchmarks/results/features.json`` and into the README's table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter, process_time

from benchmarks.machine import Row, machine, today, versions
from benchmarks.report import save
from benchmarks.tables import conditions, replace_between_markers

COMMAND = "python -m benchmarks.features"
ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "features.json"


def measure(samples: int | None = None) -> Row:
    """The rows, with at most that many images of each part, and where they were made."""
    import fastnn
    from fastnn.lecture import features

    images = features.some_of(features.load(), samples)
    began, worked = perf_counter(), process_time()
    rows = [row._asdict() for row in features.compare(images).rows]
    return {
        "command": COMMAND,
        "date": today(),
        "machine": machine(),
        "versions": versions("scikit-image", "scikit-learn"),
        "threads": fastnn.get_num_threads(),
        "training_images": len(images.y_train),
        "test_images": len(images.y_test),
        # Far apart, they tell of a machine that had other work, too.
        "seconds": round(perf_counter() - began, 1),
        "processor_seconds": round(process_time() - worked, 1),
        "rows": rows,
    }


def readme_table(result: Row) -> str:
    """The table of the topic, in Markdown, and where it was made."""
    lines = [
        "| features | length | extraction | training | train accuracy | test accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        extraction = "" if row["extraction"] is None else f"{row['extraction']:.1f} s"
        lines.append(
            f"| {row['features']} | {row['length']:,} | {extraction} | {row['training']:.1f} s "
            f"| {row['train']:.1%} | {row['test']:.1%} |"
        )
    found = result["versions"]
    images = f"{result['training_images']:,} training and {result['test_images']:,} test images"
    seconds = (
        f"{result['seconds']:.0f} s, with {result['processor_seconds']:.0f} s of processor time"
    )
    lines += [
        "",
        f"{images}, threads: {result['threads']}; altogether {seconds}.",
        f"scikit-image {found['scikit-image']}, scikit-learn {found['scikit-learn']};",
        f"{conditions(result)}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    if not parser.parse_args().draw:
        save(measure(), RESULT)
    result = json.loads(RESULT.read_text())
    replace_between_markers(ROOT / "README.md", "features", COMMAND, readme_table(result))


if __name__ == "__main__":
    main()
