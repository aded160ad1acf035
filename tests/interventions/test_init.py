import subprocess
import sys

import pytest

from if_circuits import interventions


def test_everything_that_is_offered_can_be_had() -> None:
    for name in interventions.__all__:
        assert getattr(interventions, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Ablate'"):
        _ = interventions.Ablate  # pyright: ignore[reportAttributeAccessIssue]


def test_the_package_alone_loads_no_heavy_library() -> None:
    code = "import sys, if_circuits.interventions; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
