"""The benchmark programs run, on tiny sizes, and write what the README quotes.

Nothing here looks at a time: the sides must do the same work, and the files hold what they
promise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
TOLERANCE = 1e-4
WORKS = ["mlp784", "mlp1024", "mlp64", "softmax", "hinge", "eleven-lines", "fashion"]


def run(folder: Path, *command: str) -> None:
    """A benchmark with NumPy and fastnn alone, in a process of its own."""
    options = ["--quick", "--sides", "numpy", "--results", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", *command, *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def read(folder: Path, name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    assert {"command", "date", "quick", "threads", "machine", "versions", "rows"} <= set(result)
    assert result["quick"] is True
    assert result["versions"]["blas_kernel"]
    return result


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peers")
    run(folder, "benchmarks.peers")
    return folder


def test_every_work_is_compared_with_numpy(peers: Path) -> None:
    result = read(peers, "peers")
    rows = {row["name"]: row for row in result["rows"]}
    assert list(rows) == WORKS
    assert result["peak_gflops"] > 0
    for name, row in rows.items():
        assert set(row["microseconds"]) == {"fastnn", "numpy"}, name
        (against,) = row["against"]
        assert against["side"] == "numpy"
        ratio = row["microseconds"]["numpy"] / row["microseconds"]["fastnn"]
        assert against["ratio"] == pytest.approx(ratio, rel=2e-3) or name == "eleven-lines"
        if against["bar"] is not None:
            assert against["met"] is (against["ratio"] >= against["bar"])


def test_the_sides_compute_the_same(peers: Path) -> None:
    for row in read(peers, "peers")["rows"]:
        if row["name"] == "eleven-lines":
            assert 0 <= row["weight_differences"]["fastnn"] <= 1e-9
        else:
            assert 0 <= row["loss_differences"]["fastnn"] <= TOLERANCE


def test_the_bars_are_the_projects(peers: Path) -> None:
    rows = {row["name"]: row for row in read(peers, "peers")["rows"]}
    bars = {name: row["against"][0]["bar"] for name, row in rows.items()}
    assert bars == {
        "mlp784": 2.4,
        "mlp1024": 3.0,
        "mlp64": 7,
        "softmax": 2.6,
        "hinge": 2.6,
        "eleven-lines": 20,
        "fashion": None,
    }
    assert [rows[name]["peak_bar"] for name in WORKS[:5]] == [85, 88, None, None, None]
    assert "percent_of_bandwidth" in rows["softmax"]
    assert rows["fashion"]["accuracy_bar"] == 0.5
    assert set(rows["fashion"]["accuracy"]) == {"fastnn", "numpy"}


def test_tables_and_chart_show_every_work(peers: Path) -> None:
    titles = [row["title"] for row in read(peers, "peers")["rows"]]
    for kind in ("md", "svg"):
        text = (peers / f"peers.{kind}").read_text()
        assert all(title in text for title in titles), kind
    assert "measure nothing" in (peers / "peers.md").read_text()


def test_the_readmes_table_goes_between_its_markers(
    peers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.peers.tables import readme_table
    from benchmarks.tables import replace_between_markers

    begin = "<!-- peers: begin (written by python -m benchmarks.peers) -->"
    end = "<!-- peers: end -->"
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    table = readme_table(read(peers, "peers"))
    replace_between_markers(readme, "peers", "python -m benchmarks.peers", table)
    assert readme.read_text() == f"before\n{begin}\n{table}\n{end}\nafter\n"
    assert "| MLP 64-32-10, batch 64 | " in table
    readme.write_text("no markers")
    with pytest.raises(SystemExit, match="peers: begin"):
        replace_between_markers(readme, "peers", "python -m benchmarks.peers", table)


def test_a_side_that_does_other_work_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.peers.rounds import check_losses, two_epochs
    from benchmarks.peers.sides import fastnn_replay, numpy_by_hand
    from benchmarks.peers.works import WORKS

    work = WORKS[0].smaller()
    X, y = work.batches()

    def losses() -> dict[str, Any]:
        sides = {"fastnn": fastnn_replay, "numpy": numpy_by_hand}
        return {
            name: two_epochs(side.epoch(work, work.layers(), X, y)) for name, side in sides.items()
        }

    assert max(check_losses("right", losses()).values()) <= 1e-5
    right = numpy_by_hand.backward

    def without_the_relu(layers: Any, values: Any, d: Any) -> Any:
        return right(layers, [np.abs(each) + 1e-9 for each in values], d)

    monkeypatch.setattr(numpy_by_hand, "backward", without_the_relu)
    with pytest.raises(AssertionError, match="losses of fastnn differ"):
        check_losses("wrong", losses())
    # The mean alone, of a side that tells no more, is compared as well.
    with pytest.raises(AssertionError, match="losses of sklearn differ"):
        check_losses("mean", {"numpy": np.ones((2, 3)), "sklearn": np.array([1, 1.001])})


def test_scaling_has_a_limit_for_every_point(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.peers", "scaling")
    rows = read(tmp_path, "scaling")["rows"]
    assert [row["axis"] for row in rows] == ["width", "width", "batch", "batch"]
    for row in rows:
        assert row[row["axis"]] > 0
        assert row["limit_microseconds"] > 0
        assert row["loss_differences"]["fastnn"] <= TOLERANCE
    chart = (tmp_path / "scaling.svg").read_text()
    assert chart.count("<polyline") == 2 * 3  # two sides and the limit, twice


def test_startup_tells_the_first_step_from_the_second(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.peers", "startup", "--only", "mlp64")
    rows = read(tmp_path, "startup")["rows"]
    assert [row["side"] for row in rows] == ["fastnn", "numpy"]
    for row in rows:
        assert all(row[f"{key}_microseconds"] > 0 for key in ("import", "first", "second"))


def test_memory_counts_what_training_adds(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.peers", "memory", "--only", "mlp784")
    rows = read(tmp_path, "memory")["rows"]
    assert [row["side"] for row in rows] == ["fastnn", "numpy"]
    for row in rows:
        assert row["training_mb"] == pytest.approx(row["peak_mb"] - row["loaded_mb"], abs=0.11)
        assert row["peak_mb"] >= row["loaded_mb"] > 0


def test_memory_of_alexnet_with_and_without_replay(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.peers", "memory", "--only", "alexnet")
    rows = read(tmp_path, "memory")["rows"]
    assert [row["side"] for row in rows] == ["fastnn", "fastnn_eager"]
    weights = 61_100_840 * 4 / 1e6
    for row in rows:
        assert row["training_mb"] > 3 * weights  # with their gradients and momentum


def test_memory_of_alexnet_against_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.peers.memory import _compare_with_torch

    peaks = {"fastnn": 1950.0, "fastnn_eager": 1200.0, "torch": 1500.0}
    rows: list[dict[str, Any]] = [{"side": side, "peak_mb": mb} for side, mb in peaks.items()]
    _compare_with_torch(rows)
    assert [row["times_torch"] for row in rows] == [1.3, 0.8, 1]
    assert [row["bar"] for row in rows] == [1.3, 1.3, None]
    _compare_with_torch(rows[:2])  # nothing to compare with is no error


def test_the_eager_graph_is_compared_with_numpy(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.graph")
    result = read(tmp_path, "graph")
    rows = {row["side"]: row for row in result["rows"]}
    assert set(rows) == {"fastnn", "numpy"}
    assert rows["fastnn"]["loss_difference"] <= TOLERANCE
    assert result["bar"] == 1.6
    assert result["met"] is (result["ratio"] <= 1.6)


def test_a_name_that_is_unknown_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.peers", "--only", "mlp"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "--only mlp: the works are mlp784" in done.stderr


def test_nets_of_images_are_trained(tmp_path: Path) -> None:
    run(tmp_path, "benchmarks.peers", "conv", "--only", "lenet", "--only", "convnet")
    result = read(tmp_path, "conv")
    assert [row["name"] for row in result["rows"]] == ["lenet", "convnet"]
    for row in result["rows"]:
        assert row["microseconds"]["fastnn"] > 0
        assert row["percent_of_peak"] > 0
    assert "| ConvNet 32-64" not in (tmp_path / "conv.md").read_text()  # there is no peer


@pytest.mark.parametrize(("torch", "last", "met"), [(26.0, 24.0, False), (25.0, 30.0, True)])
def test_the_bar_is_for_pytorchs_better_layout(
    torch: float, last: float, met: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.peers.conv import _compared
    from benchmarks.peers.nets import NETS

    lenet = next(net for net in NETS if net.name == "lenet")
    times = {"fastnn": 10.0, "jax": 9.0, "torch": torch, "torch_last": last}
    better = "torch" if torch < last else "torch_last"
    for row in _compared(lenet, times):
        assert row["ratio"] == times[row["side"]] / 10
        assert row["bar"] == (2.5 if row["side"] == better else None)
        assert row["met"] == (met if row["side"] == better else None)


def test_the_bars_of_the_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.peers.nets import NETS

    bars = {net.name: (net.torch_bar, net.peak_bar) for net in NETS}
    assert bars == {"lenet": (2.5, None), "convnet": (2.1, 70), "alexnet": (1.3, 66)}


def test_the_alexnet_that_is_measured_is_alexnet() -> None:
    """Parameters and multiply-adds as they are known of the one-tower net."""
    from benchmarks.peers.nets import NETS

    (net,) = [each for each in NETS if each.name == "alexnet"]
    assert sum(array.size for array in net.weights()) == 61_100_840
    first = 55 * 55 * 64 * 3 * 11 * 11
    assert net.flops == 2 * 16 * (3 * 714_188_480 - first)
    assert [part.width for part in net.parts[-3:]] == [4096, 4096, 1000]
    assert (net.torch_bar, net.peak_bar) == (1.3, 66)


def test_the_table_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.features import measure, readme_table

    result = measure(samples=40)
    assert (result["training_images"], result["test_images"]) == (40, 40)
    assert len(result["rows"]) == 4
    assert json.loads(json.dumps(result)) == result
    table = readme_table(result)
    assert "\n| oriented gradients | 1,296 | " in table
    assert "\n| ConvNet, end to end | 84 |  | " in table
    assert "40 training and 40 test images" in table


def test_the_readme_quotes_the_committed_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.features import RESULT, readme_table

    result = json.loads(RESULT.read_text())
    assert (result["training_images"], result["test_images"]) == (60_000, 10_000)
    assert f"\n{readme_table(result)}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def committed(name: str) -> list[dict[str, Any]]:
    result = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    rows: list[dict[str, Any]] = result["rows"]
    return rows


def test_the_readmes_sentences_quote_the_committed_results() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (eleven,) = [row for row in committed("peers") if row["name"] == "eleven-lines"]
    (loop,) = [each for each in eleven["against"] if each["side"] == "numpy"]
    milliseconds = eleven["microseconds"]["fastnn"] / 1000
    assert f"take {milliseconds:.3g} ms, {loop['ratio']:.3g} times less than the loop" in readme
    alexnet = {row["side"]: row for row in committed("memory") if row["name"] == "alexnet"}
    own, torch = (alexnet[side]["peak_mb"] / 1000 for side in ("fastnn", "torch"))
    assert f"takes {own:.2f} GB at its peak" in readme
    assert f"{own / torch:.2f} times PyTorch's {torch:.2f} GB" in readme


@pytest.mark.parametrize(("name", "filters"), [("lenet", 2), ("alexnet", 5)])
def test_the_committed_nets_have_learned(name: str, filters: int) -> None:
    """At least 90 % of what was held out, as the README says."""
    result = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    assert len(result["filters"]) == filters
    (told,) = [line for line in result["printed"] if line.startswith("test ")]
    share = float(told.split("accuracy ")[1].split(" %")[0])
    assert share >= 90
    quoted = f"{share:.2f} %"
    if name == "alexnet":  # the README tells digits and photographs apart
        assert result["accuracy_on_photographs"] == 1
        quoted = f"({100 * result['accuracy_on_digits']:.1f} %)"
    assert quoted in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(result["epochs"]) == result["settings"]["epochs"] <= 10
