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
# # Would the model have been right about patches of vulnerabilities that are new to it?
#
# The model is trained on some vulnerabilities and then meets the patches of the others, as it would in service. A patch
# of which it is unsure is always wargamed, any other with the probability `rate`; a sampled patch is predicted *and*
# wargamed. Every estimate weighs a trial by the inverse of the probability with which it was sampled, because those of
# which the model is unsure are not like those that arrive.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
variants: list[str] = []  # names of variants, the champion first; empty: the first there is
rate: float | None = None  # [0, 1] probability with which a patch is sampled of which the model is sure; None: AB_TEST_RATE
errors: float = 0.1  # (0, 1) share of errors at which the champion decides alone, on the vulnerabilities that taught it
held_out: float = 0.5  # (0, 1) share of the vulnerabilities that the model does not see in training
spoiled_after: float = 1.0  # [0, 1] share of the arrivals after which the champion silently confuses its classes; 1: never

# %%
from crisol.config import load_settings
from crisol.lab import ab_experiment, ground_truth, nested, shown
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "ab_test")
run.params({"seed": seed, "corpus": corpus, "variants": variants, "rate": rate, "errors": errors, "held_out": held_out, "spoiled_after": spoiled_after})
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
result = ab_experiment.experiment(
    settings,
    frame,
    seed,
    variants=variants,
    rate=rate,
    errors=errors,
    held_out=held_out,
    spoiled_after=spoiled_after,
)
nested.log_arms(run, result)

# %% [markdown]
# ## How often was it right, and how sure are we?

# %%
run.table("ab_results", result.table)
shown.whole(result.table)

# %% [markdown]
# `naive` counts the trials alike, and so describes the patches that were wargamed: it is off wherever the model is
# right less often when it is unsure. `estimate` describes the patches that arrived, and its interval should hold
# `whole`, which needed a wargame for each of them.

# %%
run.picture(
    "ab_estimates",
    plots.picture(plots.forest(result.intervals, what="share"), "Each weighted estimate, with its 95 % interval from ten vulnerabilities on."),
)

# %%
run.picture(
    "ab_confusion",
    plots.picture(
        plots.confusion(result.confusions, unit="patches that arrived, estimated"),
        "Model against wargame: sampled patches, each weighted by one over its sampling probability; the sum is an estimate, too.",
    ),
)

# %%
run.picture(
    "ab_trajectory",
    plots.picture(plots.trajectory(result.trajectory), "Weighted accuracy and, from ten vulnerabilities on, bounds that hold at every look."),
)

# %% [markdown]
# These bounds hold at every look, so watching them does no harm: a plain 95 % interval that is looked at after every
# trial misses the truth at some time far more often than once in twenty. Where they end, no constant accuracy explains
# the trials any more.
#
# ## Is one arm better than the other?
#
# McNemar's test over the patches on which exactly one is right, and the difference in accuracy with an interval from
# resampling vulnerabilities; empty with a single arm.

# %%
run.table("ab_comparison", result.comparison)
shown.whole(result.comparison)

# %% [markdown]
# ## Has the champion become worse on the way?
#
# The first quarter of the trials says how often it errs while it is well. An alarm is `raised_at` the trial at which a
# watch's evidence fills its measure, which would happen about once in a thousand trials by chance; the change is
# estimated to have begun at the trial `began_at`.

# %%
run.table("ab_alarms", result.alarms)
shown.whole(result.alarms)

# %%
run.picture(
    "ab_evidence",
    plots.picture(
        plots.trajectory(result.evidence, what="evidence of a change (1: alarm)"), "At 1 an alarm is raised."
    ),
)

# %% [markdown]
# ## Where do they disagree?

# %%
run.table("disagreements", result.disagreements)
shown.whole(result.disagreements.drop(columns="diff"))

# %% [markdown]
# False accepts come first: the model said valid, and the exploit, a check or the reference fix said otherwise.

# %%
run.finish()
