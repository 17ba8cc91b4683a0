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
rate: float | None = None  # probability with which a patch is sampled of which the model is sure; None: AB_TEST_RATE
unsure_below: float = 0.7  # confidence under which a patch is always sampled
held_out: float = 0.5  # share of the vulnerabilities that the model does not see in training

# %%
from crisol.config import load_settings
from crisol.lab import ab, ground_truth, plots, tracking
from crisol.wargame.corpus import content_hash

settings = load_settings()
run = tracking.join(settings, run_id, "ab_test")
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")

# %%
result = ab.experiment(
    settings, frame, seed, variants=variants, rate=rate, unsure_below=unsure_below, held_out=held_out
)
run.metrics(result.metrics)

# %% [markdown]
# ## How often was it right, and how sure are we?

# %%
run.table("ab_results", result.table)
result.table

# %% [markdown]
# `naive` counts the trials alike, and so describes the patches that were wargamed: it is off wherever the model is
# right less often when it is unsure. `estimate` describes the patches that arrived, and its interval should hold
# `whole`, which needed a wargame for each of them.

# %%
run.picture(
    "ab_estimates",
    plots.picture(plots.forest(result.intervals, what="share"), "Each weighted estimate with its 95 % interval."),
)

# %%
run.picture(
    "ab_confusion",
    plots.picture(plots.confusion(result.confusions), "Model against wargame, sampled patches."),
)

# %%
run.picture(
    "ab_trajectory",
    plots.picture(plots.trajectory(result.trajectory), "Weighted accuracy and its interval as trials arrive."),
)

# %% [markdown]
# The interval narrows with the square root of the number of trials. Watching it until it looks good and stopping there
# would make it too narrow; the number of trials was fixed by `rate` before the first.
#
# ## Where do they disagree?

# %%
run.table("disagreements", result.disagreements)
result.disagreements.drop(columns="diff")

# %% [markdown]
# False accepts come first: the model said valid, and the exploit, a check or the reference fix said otherwise.

# %%
run.finish()
