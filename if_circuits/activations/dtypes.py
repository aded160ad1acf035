"""The types in which activations can be stored, by name; `precision` gets numbers into them.

Apart from the arithmetic, since the command line's help names the types and must come at once.
"""

from typing import Literal, TypeAlias, get_args

from if_circuits.errors import InputError
from if_circuits.models.presets import DType

StoredDtype: TypeAlias = DType
"""float16 and bfloat16 halve the space. float16 has 11 significant bits and overflows above 65504, which
Gemma reaches; bfloat16 has 8, and the range of float32."""


def stored_dtype(asked: StoredDtype | Literal["model"], *, of_model: DType) -> StoredDtype:
    """The type that is asked for by name; "model" is the model's own. Raises InputError for another name."""
    if asked == "model":
        return of_model
    if asked not in get_args(DType):
        raise InputError(f"activations are stored as {', '.join(get_args(DType))} or model, not as {asked!r}")
    return asked
