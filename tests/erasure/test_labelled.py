import numpy as np
import pytest

from if_circuits.erasure.base import EraserMethod
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.inlp import Inlp
from if_circuits.erasure.leace import Leace
from if_circuits.errors import InputError
from tests.probes.planted import planted

X, Y = planted(40, 3)


@pytest.mark.parametrize("method", [Inlp(), Leace(), DifferenceInMeans()], ids=lambda method: method.name)
@pytest.mark.parametrize(
    ("activations", "labels", "message"),
    [
        (X, np.ones(40, dtype=bool), "both classes"),
        (np.where(np.arange(40)[:, None] == 3, np.nan, X), Y, "finite"),
        (X, Y.astype(int) + 1, "holds 2; give one label a row"),
        (X, Y[:-1], "a label and a group for each"),
    ],
    ids=["one class", "NaN", "labels of another type", "rows that do not match"],
)
def test_every_method_refuses_what_it_cannot_be_fitted_to(
    method: EraserMethod, activations: np.ndarray, labels: np.ndarray, message: str
):
    with pytest.raises(InputError, match=message):
        method.fit(activations, labels, groups=np.arange(40), seed=0)
