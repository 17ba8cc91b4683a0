"""The predictor: features of a diff, variants, their honest evaluation, and when to trust them."""

from crisol.model.evaluation import Evaluation, evaluate
from crisol.model.features import FEATURE_VERSION, FEATURES
from crisol.model.predictor import Predictor
from crisol.model.risk import Threshold, choose_threshold
from crisol.model.training import FittedModel, train
from crisol.model.variants import Variant, load_variants

__all__ = [
    "FEATURES",
    "FEATURE_VERSION",
    "Evaluation",
    "FittedModel",
    "Predictor",
    "Threshold",
    "Variant",
    "choose_threshold",
    "evaluate",
    "load_variants",
    "train",
]
