"""Builds the kernels once for each instruction set, and the doorway to them."""

import os
import platform
import subprocess
import sys
import tempfile
from glob import glob
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTNN_DEBUG", "0") not in ("", "0")
GNU = sys.platform != "win32"
X86 = platform.machine().lower() in ("x86_64", "amd64", "i686")

ISA_FLAGS = {"baseline": []}
if X86:
    avx512 = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]
    ISA_FLAGS["avx2"] = ["-mavx2", "-mfma"]
    ISA_FLAGS["avx512"] = ["-mavx2", "-mfma", *avx512, "-mprefer-vector-width=512"]

# Floating point means what it says: no contraction, and no flag that changes a result.
FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
FLAGS += ["-O1", "-g", *SANITIZE, "-DFASTNN_DEBUG"] if DEBUG else ["-O3", "-g0"]
LINK = SANITIZE if DEBUG else ["-Wl,-s"] if sys.platform == "linux" else []


class BuildKernels(build_ext):
    """Says in one line what a machine lacks, and goes without OpenMP where there is none."""

    def build_extensions(self):
        if GNU and not self.compiles([]):
            raise SystemExit(
                "fastnn needs a C compiler: install gcc (Debian: apt install build-essential, "
                "Fedora: dnf install gcc) or clang (macOS: xcode-select --install)"
            )
        openmp = ["-fopenmp"] if GNU and self.compiles(["-fopenmp"]) else []
        for extension in self.extensions:
            if extension.name.endswith("_doorway"):
                extension.extra_compile_args += openmp
                extension.extra_link_args += openmp
        super().build_extensions()

    def compiles(self, flags):
        """Whether the compiler turns a program into an executable with these flags."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "try.c")
            source.write_text("int main(void) { return 0; }")
            command = [*self.compiler.compiler_so[:1], *flags, str(source), "-o", f"{folder}/try"]
            try:
                return subprocess.run(command, capture_output=True).returncode == 0
            except OSError:
                return False


def extension(name, flags):
    return Extension(
        f"fastnn._kernels.{name}",
        [f"fastnn/_kernels/{name}.pyx"],
        include_dirs=[numpy.get_include(), "fastnn/_kernels"],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=[*FLAGS, *flags] if GNU else [],
        extra_link_args=LINK,
        depends=[*glob("fastnn/_kernels/*.h"), *glob("fastnn/_kernels/*.pxi")],
    )


extensions = [extension(f"_{isa}", flags) for isa, flags in ISA_FLAGS.items()]
extensions.append(extension("_doorway", []))
DIRECTIVES = {"language_level": 3, "boundscheck": DEBUG, "wraparound": False, "cdivision": True}
setup(
    ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES),
    cmdclass={"build_ext": BuildKernels},
)
