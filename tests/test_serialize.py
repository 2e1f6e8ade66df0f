"""Files: whole or untouched, and never anything but data."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from training import FEATURES, assert_same_weights, classes, net

import fastnn.layers as layers
from fastnn import serialize


def write(content: bytes):
    return lambda file: file.write(content)


def header_of(path: Path) -> dict:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length])


# --- atomic_write ---------------------------------------------------------------------


def test_atomic_write_writes_a_new_file_and_replaces_an_old_one(tmp_path):
    path = tmp_path / "file"
    serialize.atomic_write(path, write(b"old content"))
    serialize.atomic_write(str(path), write(b"new"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [RuntimeError("disk"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half of the n")
        raise error

    with pytest.raises(type(error)):
        serialize.atomic_write(path, fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_rename_leaves_no_temporary(tmp_path, monkeypatch):
    def refuse(source, target):
        raise PermissionError("rename")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        serialize.atomic_write(tmp_path / "file", write(b"new"))
    assert os.listdir(tmp_path) == []


def test_atomic_write_is_on_the_disk_before_the_rename_and_the_folder_after(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def spy_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append((f"sync {kind}", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def spy_replace(source, target):
        calls.append(("rename", os.path.dirname(source) == os.path.dirname(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "replace", spy_replace)
    serialize.atomic_write(tmp_path / "file", write(b"content"))
    assert calls[:2] == [("sync file", 7), ("rename", True)]
    assert [name for name, _ in calls[2:]] == ["sync folder"]


def test_atomic_write_keeps_permissions_and_follows_links(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    real, link = folder / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    serialize.atomic_write(link, write(b"new"))
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert os.listdir(folder) == ["real"]


def test_a_new_file_gets_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    serialize.atomic_write(tmp_path / "atomic", write(b""))
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("plain", "atomic")}
    assert len(modes) == 1


def test_atomic_write_names_the_path_that_cannot_be_written(tmp_path):
    path = tmp_path / "missing" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        serialize.atomic_write(path, write(b""))
    assert caught.value.filename == str(path)
    with pytest.raises(IsADirectoryError) as caught:
        serialize.atomic_write(tmp_path, write(b""))
    assert caught.value.filename == str(tmp_path)


# --- save and load --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loaded_model_is_the_saved_one(tmp_path, dtype):
    model = net(dtype=dtype)
    serialize.save(model, tmp_path / "model.safetensors")
    loaded = serialize.load(tmp_path / "model.safetensors")
    assert loaded.dtype == np.dtype(dtype)
    assert_same_weights(loaded, model)
    X = classes()[0]
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_loaded_weights_do_not_hang_on_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    serialize.save(net(), path)
    loaded = serialize.load(path)
    before = loaded.state_dict()
    path.write_bytes(b"\0" * path.stat().st_size)
    for name, array in loaded.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_architecture_is_in_the_header_by_registered_names_alone(tmp_path):
    path = tmp_path / "model.safetensors"
    serialize.save(net(), path)
    text = header_of(path)["__metadata__"]["fastnn"]
    architecture = json.loads(text)["architecture"]
    names = [layer["type"] for layer in architecture["config"]]
    assert names == ["Linear", "ReLU", "Linear"]
    assert "fastnn." not in text
    assert "__main__" not in text


def test_saving_twice_gives_the_same_bytes(tmp_path):
    model = net()
    for name in ("a", "b"):
        serialize.save(model, tmp_path / name, {"z": 1, "a": [1.5, None]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_weight_in_any_layout_is_stored_by_its_values(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    tensors = {
        "F": np.asfortranarray(array),
        "strided": array[:, ::-2],
        "0d": array[1, 1],
    }
    serialize.write_file(tmp_path / "file", tensors, {})
    found, _ = serialize.read_file(tmp_path / "file")
    for name, wanted in tensors.items():
        assert found[name].shape == wanted.shape
        np.testing.assert_array_equal(found[name], wanted)


def test_metadata_comes_back(tmp_path):
    path = tmp_path / "model.safetensors"
    metadata = {"scale": 1 / 255, "classes": ["cat", "dog"], "nested": {"a": None}}
    serialize.save(net(), path, metadata)
    assert serialize.load_metadata(path) == metadata
    serialize.save(net(), path)
    assert serialize.load_metadata(path) == {}


@pytest.mark.parametrize("metadata", [[1], {"x": np.zeros(2)}, {"x": object()}])
def test_metadata_that_json_cannot_hold_is_refused(tmp_path, metadata):
    with pytest.raises(TypeError, match="metadata"):
        serialize.save(net(), tmp_path / "model", metadata)
    assert os.listdir(tmp_path) == []


def test_a_module_of_ones_own_is_loaded_by_its_registered_name(tmp_path):
    @layers.register_module("TestSerializeDouble")
    class Double(layers.Module):
        def forward(self, x):
            return x + x

    model = layers.Sequential(layers.Linear(FEATURES, 2, seed=0), Double())
    serialize.save(model, tmp_path / "model")
    X = classes()[0]
    loaded = serialize.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.scores(X), model.scores(X))


def test_the_dtype_and_the_flags_of_each_parameter_come_back(tmp_path):
    model = layers.Sequential(
        layers.Linear(FEATURES, 4, seed=0), layers.Linear(4, 2, seed=1, dtype="float64")
    )
    frozen, undecayed = model[0].weight, model[1].weight
    frozen.requires_grad = False
    undecayed.decay = False
    serialize.save(model, tmp_path / "model")
    loaded = serialize.load(tmp_path / "model")
    assert_same_weights(loaded, model)
    for (_, a), (name, b) in zip(loaded.named_parameters(), model.named_parameters(), strict=True):
        assert (a.dtype, a.requires_grad, a.decay) == (b.dtype, b.requires_grad, b.decay), name


def test_a_model_that_its_architecture_does_not_tell_is_refused(tmp_path):
    shared = layers.Linear(3, 3)
    tied = layers.Sequential(layers.Linear(3, 3), layers.Linear(3, 3))
    tied[1].weight = tied[0].weight
    other_shape = layers.Linear(3, 3)
    other_shape.weight = layers.Parameter(np.ones((2, 3), np.float32))
    for model in (layers.Sequential(shared, layers.ReLU(), shared), tied, other_shape):
        with pytest.raises(ValueError, match="used twice cannot be saved"):
            serialize.save(model, tmp_path / "model")
    with pytest.raises(ValueError, match=r"weight: its dtype is float16"):
        serialize.save(layers.Linear(3, 3, dtype="float16"), tmp_path / "model")
    with pytest.raises(TypeError, match="model must be a Module, got NoneType"):
        serialize.save(None, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_a_shared_layer_without_parameters_is_saved(tmp_path):
    relu = layers.ReLU()
    model = layers.Sequential(layers.Linear(FEATURES, 3), relu, layers.Linear(3, 2), relu)
    serialize.save(model, tmp_path / "model")
    assert_same_weights(serialize.load(tmp_path / "model"), model)


def test_a_header_that_asks_for_more_than_is_stored_allocates_nothing(tmp_path, monkeypatch):
    path = tmp_path / "model"
    edited(path, lambda t, h: h["architecture"]["config"][0]["config"].update(in_features=10**7))
    made = []
    monkeypatch.setattr(layers.Linear, "__init__", lambda self, **config: made.append(config))
    with pytest.raises(ValueError, match=r"0.weight wants shape \(10000000, 8\), got \(5, 8\)"):
        serialize.load(path)
    assert made == []


# --- what is not such a file ----------------------------------------------------------


def assert_refused(path: Path) -> str:
    """load and load_metadata raise the one error, and its message, without the path."""
    messages = set()
    for load in (serialize.load, serialize.load_metadata):
        with pytest.raises(ValueError, match="cannot load") as caught:
            load(path)
        assert repr(str(path)) in str(caught.value)
        messages.add(str(caught.value).replace(str(path), ""))
    return messages.pop()


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    path = tmp_path / "model"
    serialize.save(net(), path)
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert_refused(path)


def test_a_damaged_header_is_refused_or_harmless(tmp_path):
    path = tmp_path / "model"
    serialize.save(net(), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for at in rng.integers(0, len(whole) - 8 * FEATURES * 4, 200):
        damaged = bytearray(whole)
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            serialize.load(path)
        except ValueError as error:
            assert repr(str(path)) in str(error)  # noqa: PT017 - it may also load
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("content", [b"PK\x03\x04" + b"\0" * 99, b"\x80\x04K*.", b"{}"])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    assert_refused(path)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"0.weight": np.zeros((5, 3))}, path, {"format": "pt"})
    assert "not one written by fastnn" in assert_refused(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"format": 2}', "format is 2, this fastnn reads 1"),
        ("{}", "format is None"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(tmp_path, text, reason):
    path = tmp_path / "model"
    save_file({"a": np.zeros(1)}, path, {"fastnn": text})
    assert reason in assert_refused(path)


def edited(path: Path, change) -> None:
    """Save a model at path, then change its header and arrays."""
    serialize.save(net(), path)
    tensors, header = serialize.read_file(path)
    change(tensors, header)
    serialize.write_file(path, tensors, header)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t, h: t.pop("0.weight"), "missing"),
        (lambda t, h: t.update(extra=np.zeros(1)), "extra"),
        (lambda t, h: h["architecture"]["config"][0].update(type="Evil"), "Evil"),
        (lambda t, h: h["architecture"].update(type="os.system"), "os.system"),
        (lambda t, h: h["architecture"]["config"][0]["config"].update(x=1), "x"),
        (lambda t, h: h.update(architecture=None), "described"),
        (lambda t, h: h.pop("architecture"), "architecture"),
        (lambda t, h: h.update(dtype="int64"), "int64"),
        (lambda t, h: h.update(dtype=[3]), "[3]"),
        (lambda t, h: h.update(dtype="float16"), "float16"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path, change, reason):
    path = tmp_path / "model"
    edited(path, change)
    with pytest.raises(ValueError, match="cannot load") as caught:
        serialize.load(path)
    assert repr(str(path)) in str(caught.value)
    assert reason in str(caught.value)


def test_metadata_that_is_no_object_is_refused(tmp_path):
    path = tmp_path / "model"
    edited(path, lambda t, h: h.update(metadata=[1]))
    with pytest.raises(ValueError, match=r"metadata is not a JSON object"):
        serialize.load_metadata(path)


def test_a_file_that_is_not_there_is_the_systems_own_error(tmp_path):
    for load in (serialize.load, serialize.load_metadata):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            load(tmp_path / "nowhere")
        with pytest.raises(IsADirectoryError):
            load(tmp_path)


# --- the state of a run, beside the model ---------------------------------------------


def test_pack_and_unpack_are_inverse(tmp_path):
    tree = {
        "numbers": [1, 2.5, None, True, "text", float("inf")],
        "arrays": {"a": np.arange(3), "deep": [np.ones((2, 2)), {"b": np.array(7.0)}]},
        "scalars": [np.float32(0.1), np.int64(3), np.bool_(True)],
        "empty": {},
    }
    tensors: dict[str, np.ndarray] = {}
    header = {"tree": serialize.pack(tree, tensors)}
    assert all(name.startswith("state/") for name in tensors)
    serialize.write_file(tmp_path / "file", tensors, header)
    found, header = serialize.read_file(tmp_path / "file")
    result = serialize.unpack(header["tree"], found)
    assert result["numbers"] == tree["numbers"]
    assert result["scalars"] == [float(np.float32(0.1)), 3, True]
    assert result["empty"] == {}
    np.testing.assert_array_equal(result["arrays"]["a"], np.arange(3))
    np.testing.assert_array_equal(result["arrays"]["deep"][0], np.ones((2, 2)))
    assert result["arrays"]["deep"][1]["b"].shape == ()
