"""Models and training runs on disk, as safetensors files.

A file holds the arrays under their names and, in its header, one JSON object under
the key ``fastnn``: the architecture as registered layer names with their arguments,
the dtype, and whatever the caller wants to remember beside them.  Nothing in a file is
ever imported, unpickled or run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from fastnn.layers.module import Module

__all__ = ["atomic_write", "load", "load_metadata", "save"]

StrPath = str | os.PathLike[str]

FORMAT = 1
_KEY = "fastnn"
# Where the arrays of a run's state stand; the name of a parameter never begins so.
_STATE = "state/"
# What stands in the header for an array: an object with this one key, and its name.
_ARRAY = "$array"


def atomic_write(path: StrPath, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that ``path`` holds the whole old content or the whole new one.

    ``write`` gets a binary file open for writing: a temporary in the folder of
    ``path``, which is flushed to the disk and then renamed over ``path``.  If anything
    fails on the way, the temporary is removed and ``path`` is as it was.  A file that
    is replaced keeps its permissions; a symbolic link keeps pointing at its target.

    Raises:
        OSError: naming ``path``, if its folder is missing or cannot be written to.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".{os.path.basename(target)}.{os.urandom(6).hex()}.tmp")
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - closed before the rename, below
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with file:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save(model: Module, path: StrPath, metadata: Mapping[str, Any] | None = None) -> None:
    """Save a model's architecture and weights in one safetensors file, atomically.

    Args:
        model: a Module whose layers are all registered (every layer of fastnn is; your
            own with ``fastnn.register_module``).
        path: the file; an existing one is replaced.
        metadata: anything JSON can hold, to be read back by ``load_metadata``.

    Of each parameter, the dtype, ``requires_grad`` and ``decay`` are saved too.

    Raises:
        TypeError: if ``model`` is no Module of registered layers, or ``metadata`` is not a
            mapping that JSON can hold.
        ValueError: if the model built again from its architecture would not have the same
            parameters and buffers, as when a layer with parameters is used twice, or one of
            them is floating-point but neither float32 nor float64.
        OSError: naming ``path``, if it cannot be written.
    """
    header = model_header(model, metadata)
    write_file(path, model.state_dict(), header)


def load(path: StrPath) -> Module:
    """Load the model of a file written by ``save``, ``Trainer.save`` or ``Checkpoint``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: naming ``path``, if it is damaged or was not written by fastnn.
    """
    tensors, header = read_file(path)
    return build_model(path, tensors, header)


def load_metadata(path: StrPath) -> dict[str, Any]:
    """The ``metadata`` that a model was saved with; raises what ``load`` does."""
    metadata = read_header(path).get("metadata")
    if not isinstance(metadata, dict):
        raise damaged(path, "its metadata is not a JSON object")
    return metadata


# --- what a model's file and a training run's file share ------------------------------


def model_header(model: Module, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The header that ``build_model`` makes the model again from."""
    import json

    from fastnn.layers import registry
    from fastnn.layers.module import Module, check_shapes

    if not isinstance(model, Module):
        raise TypeError(f"model must be a Module, got {type(model).__name__}")
    if not isinstance(metadata, Mapping | None):
        raise TypeError(f"metadata must be a mapping or None, got {type(metadata).__name__}")
    metadata = dict(metadata or {})
    try:
        json.dumps(metadata)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metadata must be what JSON can hold: {error}") from None
    architecture = registry.describe(model)
    parameters = dict(model.named_parameters())
    for name, tensor in model.named_tensors():
        if tensor.dtype.kind == "f":
            _check_dtype(name, tensor.dtype)
    try:
        rebuilt = registry.parameter_shapes(json.loads(json.dumps(architecture)))
        check_shapes(rebuilt, {name: each.shape for name, each in model.named_tensors()})
    except (TypeError, ValueError) as error:
        raise ValueError(
            "model: built again from its architecture, it would not have the parameters "
            f"that it has; a layer or parameter used twice cannot be saved: {error}"
        ) from error
    return {
        "architecture": architecture,
        "dtype": model.dtype.name,
        "parameters": {
            name: {"requires_grad": p.requires_grad, "decay": p.decay}
            for name, p in parameters.items()
        },
        "metadata": metadata,
    }


def build_model(
    path: StrPath, tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]
) -> Module:
    """The model that ``header`` describes, with the weights found in ``tensors``.

    Arrays that ``pack`` has put beside the weights are passed over.
    """
    from fastnn.layers import registry
    from fastnn.layers.module import check_shapes

    weights = {name: array for name, array in tensors.items() if not name.startswith(_STATE)}
    with explaining(path):
        if header["dtype"] not in ("float32", "float64"):
            raise ValueError(f"its dtype is {header['dtype']!r}, neither float32 nor float64")
        # Before anything is made, which a header could ask to be of any size.
        check_shapes(
            registry.parameter_shapes(header["architecture"]),
            {name: array.shape for name, array in weights.items()},
        )
        model = registry.build(header["architecture"], header["dtype"])
        for name, tensor in model.named_tensors():
            if tensor.dtype.kind == "f":
                _check_dtype(name, weights[name].dtype)
                tensor._node.data = tensor.data.astype(weights[name].dtype, copy=False)
        for name, parameter in model.named_parameters():
            flags = header["parameters"][name]
            parameter.requires_grad = bool(flags["requires_grad"])
            parameter.decay = bool(flags["decay"])
        model.load_state_dict(weights)
    return model


def _check_dtype(name: str, dtype: np.dtype[Any]) -> None:
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"{name}: its dtype is {dtype}, neither float32 nor float64")


def write_file(path: StrPath, tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header as one safetensors file, atomically."""
    import json

    from safetensors.numpy import save as to_bytes

    # safetensors reads raw memory: anything but C order would be stored scrambled.
    arrays = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    text = json.dumps({"format": FORMAT, **header})
    content = to_bytes(arrays, metadata={_KEY: text})
    atomic_write(path, lambda file: file.write(content))


def read_file(path: StrPath) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of a file of ours; raises what ``load`` does."""
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, header
    except (SafetensorError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def read_header(path: StrPath) -> dict[str, Any]:
    """The header alone, without reading the arrays; raises what ``load`` does."""
    import json

    from safetensors import SafetensorError, safe_open

    with open(path, "rb"):
        pass  # a missing file, a folder, no permission: the system's own OSError
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    if text is None:
        raise damaged(path, "a safetensors file, but not one written by fastnn")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise damaged(path, "its header is not a JSON object")
    if header.get("format") != FORMAT:
        raise damaged(
            path,
            f"its format is {header.get('format')!r}, this fastnn reads {FORMAT}",
        )
    return header


def pack(tree: Any, tensors: dict[str, np.ndarray], name: str = "state") -> Any:
    """``tree`` as JSON values, its arrays put into ``tensors`` and named instead.

    ``tree`` is made of dicts, lists, tuples, arrays, numbers, strings and None; keys
    come back as strings, and tuples as lists.
    """
    if isinstance(tree, np.ndarray):
        tensors[name] = tree
        return {_ARRAY: name}
    if isinstance(tree, Mapping):
        return {str(k): pack(v, tensors, f"{name}/{k}") for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        return [pack(v, tensors, f"{name}/{i}") for i, v in enumerate(tree)]
    return tree.item() if isinstance(tree, np.generic) else tree


def unpack(tree: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    """What ``pack`` was given, up to the types of keys and sequences."""
    if isinstance(tree, dict):
        if tree.keys() == {_ARRAY}:
            return tensors[tree[_ARRAY]]
        return {key: unpack(value, tensors) for key, value in tree.items()}
    if isinstance(tree, list):
        return [unpack(value, tensors) for value in tree]
    return tree


def damaged(path: StrPath, reason: str) -> ValueError:
    """The one error for a file that is not what it should be."""
    return ValueError(f"cannot load {os.fspath(path)!r}: {reason}")


@contextlib.contextmanager
def explaining(path: StrPath) -> Iterator[None]:
    """Turn what building from a file's content may raise into the one ValueError."""
    # A stranger's file can put any value in any place, so any error can follow.
    try:
        yield
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise damaged(path, f"{kind}{error}") from error
