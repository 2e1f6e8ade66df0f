"""``python -m benchmarks.digits`` trains on the digits from the command line, five times.

It runs ``fastnn train`` with nothing but a seed, and writes the test accuracy and the
seconds of each run, those of the training alone and those of the whole process, to
``benchmarks/results/digits.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fastnn

SEEDS = range(5)
COMMAND = "python -m benchmarks.digits"
RESULT = Path(__file__).parent / "results" / "digits.json"


def run(seed: int) -> dict[str, Any]:
    """One run in a folder of its own, as a user would start it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fastnn", "train", "--seed", str(seed)]
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        whole = time.perf_counter() - began
        model = Path(folder, "runs", "digits-1")
        history = (model / "history.csv").read_text().splitlines()
        column = history[0].split(",").index("seconds")
        training = sum(float(row.split(",")[column]) for row in history[1:])
        test = json.loads(
            subprocess.run(
                [sys.executable, "-c", EVALUATE, str(model / "model.safetensors")],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    return {
        "seed": seed,
        "test_accuracy": test,
        "training_seconds": round(training, 3),
        "process_seconds": round(whole, 3),
    }


EVALUATE = """
import json, sys
import fastnn
from fastnn.data import digits
data, path = digits(), sys.argv[1]
saved = fastnn.load_metadata(path)
x = data.x_test.astype("f4") * saved["scale"] + saved["shift"]
print(json.dumps(float((fastnn.load(path).predict(x) == data.y_test).mean())))
"""


def main() -> None:
    """Five seeds, one after the other."""
    rows = [run(seed) for seed in SEEDS]
    mean = sum(row["test_accuracy"] for row in rows) / len(rows)
    info = fastnn.info()
    result = {
        "command": COMMAND,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "instruction_set": info["isa"],
        "threads": info["threads"],
        "fastnn": fastnn.__version__,
        "mean_test_accuracy": round(mean, 4),
        "runs": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
