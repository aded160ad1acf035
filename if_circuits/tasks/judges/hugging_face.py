"""A Hugging Face text classifier as a judge: `hf:NAME`, where NAME is on the hub or a local directory.

Its labels are matched by name with those that the tasks ask for. Where they are called otherwise, the
specification says what they mean: `hf:NAME?positive=LABEL_1&negative=LABEL_0`; of two labels, one is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from if_circuits.errors import InputError
from if_circuits.tasks.judges.base import Judgement, load_lexicon

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

PREFIX = "hf:"
_BATCH_SIZE = 32


@dataclass(frozen=True)
class HuggingFaceJudge:
    """A classifier, and what its labels mean to the tasks."""

    name: str
    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    """Our label of each of the classifier's outputs, in their order; outputs may share one."""
    multi_label: bool
    """Each output is a yes or no of its own, as in classifiers of several kinds of toxicity."""
    property_labels: tuple[str, ...]

    @classmethod
    def load(cls, specification: str, *, property_name: str) -> HuggingFaceJudge:
        """The judge that `hf:NAME?LABEL=THEIRS&...` describes.

        Raises InputError when the classifier cannot be loaded, or when its labels cannot be matched.
        """
        source, _, query = specification.removeprefix(PREFIX).partition("?")
        if not source:
            raise InputError(f"judge {specification!r} names no classifier; expected hf:NAME or hf:DIRECTORY")
        model, tokenizer = _load(source)
        theirs = [str(model.config.id2label[index]) for index in range(int(model.config.num_labels))]
        multi_label = model.config.problem_type == "multi_label_classification"
        wanted = _labels_of(property_name)
        named = _named_labels(specification, query, wanted=wanted, theirs=theirs)
        labels = _match(specification, named, wanted=wanted, theirs=theirs, multi_label=multi_label)
        return cls(specification, model, tokenizer, labels, multi_label, wanted)

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        judgements: list[Judgement] = []
        for start in range(0, len(texts), _BATCH_SIZE):
            rows = self._probabilities(texts[start : start + _BATCH_SIZE])
            judgements += [self._judgement(cast(list[float], row)) for row in rows.tolist()]
        return judgements

    def _probabilities(self, texts: Sequence[str]) -> Float[Tensor, "texts outputs"]:
        import torch

        limit = min(int(self.tokenizer.model_max_length), _positions(self.model))
        encoded = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt"
        )
        with torch.inference_mode():
            logits: Tensor = self.model(**encoded).logits.float()
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)

    def _judgement(self, outputs: Sequence[float]) -> Judgement:
        first = self.property_labels[0]
        if self.multi_label:
            score = max(value for label, value in zip(self.labels, outputs, strict=True) if label == first)
            label = first if score >= 0.5 else self.property_labels[1]
            return Judgement(label, score, f"P({first}) = {score:.2f}")
        shares: dict[str, float] = {}
        for label, value in zip(self.labels, outputs, strict=True):
            shares[label] = shares.get(label, 0.0) + value
        label = max(shares, key=lambda each: shares[each])
        return Judgement(label, shares[first], f"P({label}) = {shares[label]:.2f}")


def _load(source: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source)
        # Files are data: a checkpoint in pickled form is refused.
        model: Any = AutoModelForSequenceClassification.from_pretrained(source, use_safetensors=True)
    except Exception as error:  # whatever the hub, the network and the files may raise
        cause = str(error).strip().split("\n")[0]
        raise InputError(
            f"judge hf:{source} cannot be loaded: {cause}; expected a text-classification checkpoint with "
            "safetensors weights and a tokenizer, on the hub or in a local directory"
        ) from error
    return model.eval(), tokenizer


def _positions(model: Any) -> int:
    """Longest text in tokens. Position tables of the RoBERTa family start after the padding index."""
    positions = int(getattr(model.config, "max_position_embeddings", 512))
    padding = model.config.pad_token_id
    roberta_like = model.config.model_type in ("roberta", "xlm-roberta", "camembert")
    return positions - padding - 1 if roberta_like and padding is not None else positions


def _labels_of(property_name: str) -> tuple[str, ...]:
    known: Mapping[str, tuple[str, ...]] = {
        "sentiment": ("positive", "negative"),
        "toxicity": ("toxic", "clean"),
        "register": ("formal", "informal"),
        "topic": tuple(sorted(cast(dict[str, list[str]], load_lexicon("topics")))),
    }
    if property_name not in known:
        raise InputError(
            f"a Hugging Face classifier cannot judge {property_name!r}, whose labels are not known; "
            f"expected one of {', '.join(known)}"
        )
    return known[property_name]


def _named_labels(
    specification: str, query: str, *, wanted: Sequence[str], theirs: Sequence[str]
) -> dict[str, str]:
    """Our label of each of theirs that the specification names."""
    found: dict[str, str] = {}
    for ours, their in parse_qsl(query, keep_blank_values=True):
        if ours not in wanted:
            raise InputError(f"judge {specification!r}: {ours!r} is no label; expected {_listed(wanted)}")
        if their not in theirs:
            raise InputError(
                f"judge {specification!r}: the classifier has no label {their!r}; it has {_listed(theirs)}"
            )
        found[their] = ours
    return found


def _match(
    specification: str,
    named: Mapping[str, str],
    *,
    wanted: Sequence[str],
    theirs: Sequence[str],
    multi_label: bool,
) -> tuple[str, ...]:
    """Our label of each of theirs: as named, else of the same name; one left over on both sides is a pair."""
    matched = [named.get(label, label.lower()) for label in theirs]
    missing = [label for label in wanted if label not in matched]
    loose = [index for index, label in enumerate(matched) if label not in wanted]
    if len(theirs) == len(wanted) == 2 and len(missing) == len(loose) == 1:
        matched[loose[0]] = missing[0]
        missing = []
    if multi_label and len(wanted) == 2:
        missing = [label for label in missing if label == wanted[0]]
    if missing:
        example = "&".join(f"{label}=THEIRS" for label in missing)
        raise InputError(
            f"judge {specification!r}: the classifier's labels {_listed(theirs)} cannot be matched with "
            f"{_listed(wanted)}; say what they mean, as in {specification.partition('?')[0]}?{example}"
        )
    return tuple(matched)


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels))
