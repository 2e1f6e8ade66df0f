"""Builds the kernels once for each instruction set, and the doorway to them."""

import os
import platform
import subprocess
import sys
import tempfile
from glob import glob
from pathlib import Path

import Cython
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTNN_DEBUG", "0") not in ("", "0")
GNU = sys.platform != "win32"

ISA_FLAGS = {"baseline": []}
if GNU and platform.machine().lower() in ("x86_64", "amd64"):
    avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
    # prfchw: a hint, which the few processors with AVX2 that lack it pass over.
    ISA_FLAGS["avx2"] = ["-mavx2", "-mfma", "-mprfchw"]
    ISA_FLAGS["avx512"] = ["-mavx2", "-mfma", "-mprfchw", *avx512, "-mprefer-vector-width=512"]

# Floating point means what it says: no contraction, and no flag that changes a result.
FLAGS = ["-pthread", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS += ["-O1", "-g", *SANITIZE, "-DFASTNN_DEBUG"] if DEBUG else ["-O3", "-g0"]
LINK = SANITIZE if DEBUG else ["-pthread", "-Wl,-s"] if sys.platform == "linux" else []

DIRECTIVES = {"boundscheck": DEBUG, "wraparound": False, "cdivision": True}
NO_COMPILER = (
    "fastnn needs a C compiler: install gcc (Debian: apt install build-essential, "
    "Fedora: dnf install gcc) or clang (macOS: xcode-select --install)"
)


class BuildKernels(build_ext):
    """Says in one line what a machine without a C compiler lacks."""

    def build_extensions(self):
        if GNU and not self.can_compile():
            raise SystemExit(NO_COMPILER)
        super().build_extensions()

    def can_compile(self):
        """Whether there is a compiler that turns a program into an executable."""
        with tempfile.TemporaryDirectory() as folder:
            source, program = f"{folder}/try.c", f"{folder}/try"
            with open(source, "w") as file:
                file.write("int main(void) { return 0; }")
            command = [*self.compiler.compiler_so, source, "-o", program]
            try:
                return subprocess.run(command, capture_output=True).returncode == 0
            except OSError:
                return False


def _tools():
    """A file that is newer than what was built with other tools or flags, so it depends on it."""
    compiler = [os.environ.get(name) for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")]
    tools = repr([sys.version, Cython.__version__, numpy.__version__, compiler, FLAGS])
    file = Path("build/tools")
    if not file.exists() or file.read_text() != tools:
        file.parent.mkdir(exist_ok=True)
        file.write_text(tools)
    return str(file)


INCLUDED = [_tools(), *glob("fastnn/_kernels/*.pxi"), *glob("fastnn/_kernels/*.pxd")]
HEADERS = glob("fastnn/_kernels/*.h")


def _source(name):
    """A module's C where it was made from these files, else its Cython.

    Cython would make it again whenever NumPy's own declarations are newer, and so for each
    of pip's build environments, which are new ones: minutes of the compiler's time.
    """
    module, c = f"fastnn/_kernels/{name}.pyx", f"fastnn/_kernels/{name}.c"
    changed = max(os.path.getmtime(file) for file in [module, *INCLUDED])
    return c if os.path.exists(c) and os.path.getmtime(c) > changed else module


def _extension(name, flags=()):
    return Extension(
        f"fastnn._kernels.{name}",
        [_source(name)],
        include_dirs=[numpy.get_include(), "fastnn/_kernels"],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=[*FLAGS, *flags] if GNU else [],
        extra_link_args=[*LINK],
        depends=[*INCLUDED, *HEADERS],
    )


KERNELS = [_extension(f"_{isa}", flags) for isa, flags in ISA_FLAGS.items()]
EXTENSIONS = cythonize([*KERNELS, _extension("_doorway")], compiler_directives=DIRECTIVES)
setup(
    ext_modules=EXTENSIONS,
    cmdclass={"build_ext": BuildKernels},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
