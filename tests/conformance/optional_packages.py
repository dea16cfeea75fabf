"""Packages that a machine may lack: a test that needs one says so and is skipped, for ctest by the word `skipped`."""
import importlib
import sys


def require(*names):
    modules = []
    for name in names:
        try:
            modules.append(importlib.import_module(name))
            if modules[-1].__file__ is None:  # a folder of that name without the package: Debian's libonnx-testdata has one
                raise ImportError
        except ImportError:
            print(f"skipped: there is no Python package {name} (pip install {name})")
            sys.exit(0)
    return modules
