"""resnetcc compiles convolutional networks from ONNX to native code, ahead of time.

net = resnetcc.load("model.onnx") compiles a model for this machine, once, and returns a function on NumPy arrays. The command
of the same name makes object files for C programs; get_cmake_dir, get_include and get_library tell builds where its parts lie.
"""
import os as _os
from importlib.metadata import PackageNotFoundError as _PackageNotFoundError, version as _version

from .net import Net, load

__all__ = ["Net", "executable", "get_cmake_dir", "get_include", "get_library", "load"]
try:
    __version__ = _version("resnetcc")
except _PackageNotFoundError:  # used from the source tree
    __version__ = "0"

_here = _os.path.dirname(_os.path.abspath(__file__))


def executable():
    """The path of the compiler; RESNETCC_EXECUTABLE names another one, as it does for CMake."""
    return _os.environ.get("RESNETCC_EXECUTABLE") or _os.path.join(_here, "bin", "resnetcc")


def get_include():
    """The folder of resnetcc_rt.h."""
    return _os.path.join(_here, "include")


def get_library():
    """The folder of libresnetcc_rt.a."""
    return _os.path.join(_here, "lib")


def get_cmake_dir():
    """For CMake: -Dresnetcc_DIR=$(python -c 'import resnetcc; print(resnetcc.get_cmake_dir())')."""
    return _os.path.join(_here, "lib", "cmake", "resnetcc")
