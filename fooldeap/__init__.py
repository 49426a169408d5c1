"""fooldeap evolves images that fool image classifiers: a person sees noise, the classifier is certain of a class.

>>> import fooldeap
>>> result = fooldeap.run("configs/mnist.yaml", seed=2)  # doctest: +SKIP
>>> result[3].image, result[3].confidence                # doctest: +SKIP
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if sys.platform == "win32":
    raise SystemExit("fooldeap: runs on Linux and macOS, not on Windows; use the Windows Subsystem for Linux (WSL)")

if TYPE_CHECKING:
    from fooldeap.audit.loaded import Audit
    from fooldeap.engine.individuals import individual_view
    from fooldeap.errors import FooldeapError, FooldeapWarning, InputError, PluginError, RunError
    from fooldeap.result_tools.verify import verify
    from fooldeap.results import FoolingImage, Result, RunResult
    from fooldeap.runs.api import fool, resume, run, toolbox
    from fooldeap.runs.run_folder import load
    from fooldeap.study.comparison import Comparison, compare
    from fooldeap.sweeps.session import SweepResult, sweep

__all__ = [
    "Audit",
    "Comparison",
    "FooldeapError",
    "FooldeapWarning",
    "FoolingImage",
    "InputError",
    "PluginError",
    "Result",
    "RunError",
    "RunResult",
    "SweepResult",
    "compare",
    "fool",
    "individual_view",
    "load",
    "resume",
    "run",
    "sweep",
    "toolbox",
    "verify",
]
__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(("run", "resume", "fool", "toolbox"), "fooldeap.runs.api"),
    **dict.fromkeys(("compare", "Comparison"), "fooldeap.study.comparison"),
    **dict.fromkeys(("sweep", "SweepResult"), "fooldeap.sweeps.session"),
    "Audit": "fooldeap.audit.loaded",
    "load": "fooldeap.runs.run_folder",
    "verify": "fooldeap.result_tools.verify",
    "individual_view": "fooldeap.engine.individuals",
    **dict.fromkeys(("FoolingImage", "Result", "RunResult"), "fooldeap.results"),
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # Imported at first use, so that `import fooldeap` stays fast.
    if name not in __all__:
        raise AttributeError(f"module 'fooldeap' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "fooldeap.errors")), name)
