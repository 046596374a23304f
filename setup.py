"""Compiles what reads the log, where mypyc is at hand (docs/decisions/0008); all else is in setup.cfg."""

from setuptools import setup

POSTLOG = ("book", "events", "legs", "lines", "queue_id", "stamps", "track")
COMPILED = [f"mailweir/postlog/{name}.py" for name in POSTLOG] + ["mailweir/records/ids.py"]

try:
    from mypyc.build import mypycify
except ImportError:  # they run as plain Python, too, at half the speed
    modules = []
else:
    options = [
        "--config-file=",
        "--ignore-missing-imports",
        "--follow-imports=silent",
        "--namespace-packages",
    ]
    modules = mypycify([*options, *COMPILED], group_name="mailweir.postlog.compiled")

setup(ext_modules=modules)
