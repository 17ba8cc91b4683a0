# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Is my idea better than the models that are there?
#
# This notebook is the bench: look at the data, write an estimator, write a feature, measure both beside the variants, log them
# to MLflow, wargame a patch, serve a model and load it, and send your model into an A/B experiment against the champion's kind.
# Change any cell. The other notebooks report and hold no code of their own; an idea that proves itself here moves into `src/`.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
folds: int = 3  # of the cross-validation; no vulnerability is in two of them
rate: float = 200.0  # requests a second of the load
seconds: float = 2.0  # of the load; ten give percentiles that repeat

# %%
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

import crisol
from crisol.lab import ab_experiment, ground_truth, nested
from crisol.loadtest import result
from crisol.loadtest.material import prepare
from crisol.loadtest.plan import LoadPlan, Loop
from crisol.loadtest.run import Load
from crisol.loadtest.service import UNLIMITED
from crisol.model.dataset import from_table
from crisol.tracking import load_plots, models, plots, runs
from crisol.wargaming.corpus import content_hash

settings = crisol.load_settings()
run = runs.join(settings, run_id, "start")
run.params({"seed": seed, "corpus": corpus, "folds": folds, "rate": rate, "seconds": seconds})

# %% [markdown]
# ## The patches and their verdicts
#
# One row is a candidate patch. `outcome` and `reason` come from running the exploit against it; `origin` says where the patch
# came from.

# %%
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
frame[["vulnerability", "cwe", "origin", "id", "outcome", "reason", "seconds"]].sample(8, random_state=seed)

# %%
pd.crosstab(frame["vulnerability"], frame["outcome"])

# %%
wrong = frame[frame["reason"] == "variant_survives"].iloc[0]
print(wrong["diff"])

# %% [markdown]
# ## X, y, groups
#
# `y` is 1 for valid. `groups` are the vulnerabilities: a split that cuts one in two measures how well a model recognises the
# bug, so `crisol.evaluate` never does.

# %%
patches = from_table(frame)
X, y, groups = crisol.features(patches)
print(f"{len(X)} patches of {len(set(groups))} vulnerabilities, {y.mean():.0%} valid, {X.shape[1]} features")
X.assign(valid=y).groupby("valid")[["lines_added", "calls_added", "branches_net", "adds_validation"]].mean()


# %% [markdown]
# ## An estimator in a cell
#
# Anything with scikit-learn's contract will do. This one asks which class's mean is nearer, in units of standard deviations.


# %%
class NearestMean(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.scale_ = np.asarray(X).std(axis=0) + 1e-9
        self.means_ = [np.asarray(X)[y == label].mean(axis=0) / self.scale_ for label in self.classes_]
        return self

    def predict_proba(self, X):
        rows = np.asarray(X) / self.scale_
        apart = [np.sqrt(((rows - mean) ** 2).mean(axis=1)) for mean in self.means_]
        valid = 1 / (1 + np.exp(apart[1] - apart[0]))
        return np.column_stack([1 - valid, valid])


# %% [markdown]
# ## A feature in a cell
#
# A feature is a function from a reading of the diff (its tokens and counts, see `crisol.model.reading.Reading`) to a number.
# Hand it in as `own` and it is one more column, of your estimator and of any variant.


# %%
def early_exits(reading):
    """Returns and raises added for each branch added: a guard leaves at once."""
    words = reading.added.words
    return (words.get("return", 0) + words.get("raise", 0)) / max(1, words.get("if", 0))


X, y, groups = crisol.features(patches, own=[early_exits])
X[["early_exits"]].assign(valid=y).groupby("valid").describe()

# %% [markdown]
# ## Both beside the variants

# %%
mine = crisol.recipe(NearestMean(), own=[early_exits])
contest = {
    "classic_forest": crisol.evaluate(patches, "classic_forest", seed=seed, folds=folds),
    "lightgbm": crisol.evaluate(patches, "lightgbm", seed=seed, folds=folds),
    "lightgbm_early_exits": crisol.evaluate(patches, "lightgbm", own=[early_exits], seed=seed, folds=folds),
    "nearest_mean": crisol.evaluate(patches, NearestMean(), seed=seed, folds=folds),
    "nearest_mean_early_exits": crisol.evaluate(patches, mine, seed=seed, folds=folds),
}
table = pd.DataFrame({name: measured.summary() for name, measured in contest.items()}).T
table.filter(items=["auc", "auc_low", "auc_high", "average_precision", "brier", "mcc"])  # no interval below ten groups

# %% [markdown]
# Intervals come from resampling whole vulnerabilities. With the three of the smoke size **the figures mean nothing**: run it
# with `-P corpus=data/cache/corpus.parquet` before you believe one.

# %%
run.table("contest", table.reset_index(names="model"))
for name, measured in contest.items():
    nested.log_evaluation(run, measured, name=name)
run.picture(
    "auc",
    plots.picture(
        plots.forest(
            [(name, measured.auc, *measured.auc_interval) for name, measured in contest.items()],
            what="AUC on unseen vulnerabilities",
            reference=0.5,
        ),
        "Area under the ROC curve of each model; the dashed line is guessing.",
    ),
)

# %% [markdown]
# ## Wargame a patch
#
# The phases in order, each with what it found. The wrong patch from above stops the published exploit, and not its variant.

# %%
verdict = crisol.wargame(wrong["vulnerability"], wrong["diff"])
print(verdict.outcome, verdict.reason or "")
pd.DataFrame(
    [
        {"phase": phase.name, "result": phase.reason or "pass", "ms": 1e3 * phase.seconds, "detail": phase.detail}
        for phase in verdict.phases
    ]
)

# %% [markdown]
# ## Serve a model, ask it, load it
#
# The server runs in a thread of this process, the client in a process of its own. Latency counts from the moment at which a
# request was meant to start, so that a stall is charged to whoever stalled. The model was trained on these same patches: this
# measures speed alone.

# %%
material = prepare(settings, frame, seed)
load = LoadPlan(loop=Loop.OPEN, rate=rate, seconds=seconds, seed=seed)
with crisol.serve(
    model=material.model,
    accept_at=material.policy.accept,
    reject_at=material.policy.reject,
    rate_limits=UNLIMITED,
    ab_test_rate=0.0,
) as server:
    answer = server.decide(wrong["vulnerability"], wrong["diff"], cwe=wrong["cwe"])
    print(answer["outcome"], "by", answer["source"], f"in {answer['timings']['total_ms']:.1f} ms")
    loaded = Load(server.url, material, load).finish()

# %%
run.metrics({f"load.{name}": loaded.metrics[name] for name in ("p50_ms", "p95_ms", "p99_ms", "throughput", "errors")})
run.picture(
    "percentiles",
    plots.picture(
        load_plots.slowest(result.distribution(loaded.samples["latency_ms"].dropna().to_numpy()), {}),
        "Latency by percentile; each step to the right is ten times rarer.",
    ),
)

# %% [markdown]
# ## Your model against the champion's kind, patch by patch
#
# Both train on half of the vulnerabilities and meet the patches of the others, as in service: what the champion is unsure of
# is wargamed always, the rest by sample, and every trial is kept. `whole` is what wargaming all of them says.

# %%
champion = (models.holder_tags(settings) or {}).get("variant", "lightgbm")
trial = ab_experiment.experiment(settings, frame, seed, variants=[champion, mine], rate=0.5)
nested.log_arms(run, trial)
run.table("ab_results", trial.table)
trial.table

# %%
run.table("ab_comparison", trial.comparison)
trial.comparison.T

# %% [markdown]
# An idea that holds on the whole corpus becomes an entry of `experiments/variants.yaml` (`model: package.module:Class`), or a
# feature of `crisol.model.features`; notebook 02 then ranks it with all others, and `crisol promote` lets it pass the gate.

# %%
run.finish()
