"""Two arms that are wrong at known places, and the patches that they meet."""

from __future__ import annotations

from crisol.abtest import Arm
from crisol.records import LabelledPatch, Prediction


def labelled(i: int) -> LabelledPatch:
    label = int(i % 3 == 0)
    reason = "" if label else "variant_survives"
    return LabelledPatch(f"p{i}", f"CVE-{i % 11}", "package", label, "diff", cwe="CWE-79", reason=reason)


def guesser(version: str, wrong_every: int, sure: float = 0.9):  # noqa: ANN201 - the protocol is Arm's
    def predict(patch: LabelledPatch) -> Prediction:
        i = int(patch.id[1:])
        valid = bool(patch.label) ^ (i % wrong_every == 0)
        confidence = 0.55 if i % 5 == 0 else sure
        return Prediction(confidence if valid else 1 - confidence, version, "f1", 0.001)

    return predict


PATCHES = [labelled(i) for i in range(600)]
CHAMPION = Arm("champion", guesser("m1", 10), "m1")
CHALLENGER = Arm("challenger", guesser("m2", 7), "m2", share=0.5)
