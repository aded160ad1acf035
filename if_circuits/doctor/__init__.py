"""Whether a model is fit for the study: `examine` looks, a `Diagnosis` says what it saw and what to do."""

from if_circuits.doctor.base import Check, Diagnosis
from if_circuits.doctor.examine import examine

__all__ = ["Check", "Diagnosis", "examine"]
