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
# The model is trained on some vulnerabilities and then meets the patches of the others, as it would in service. Each
# is sampled with the probability `rate`; a sampled patch is predicted *and* wargamed, and every estimate weighs a
# trial by the inverse of the probability with which it was sampled.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
variant: str = ""  # name of a variant; empty: the first
rate: float = 0.5  # share of the patches that are sampled
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
result = ab.experiment(settings, frame, seed, variant=variant, rate=rate, held_out=held_out, run_id=run.id)
run.metrics(result.metrics)

# %% [markdown]
# ## How often was it right, and how sure are we?

# %%
run.table("ab_results", result.table)
result.table

# %%
run.picture(
    "ab_estimates",
    plots.picture(plots.forest(result.intervals, what="share"), "Each estimate with its 95 % interval."),
)

# %%
run.picture(
    "ab_confusion",
    plots.picture(plots.confusion(result.confusions), "Model against wargame, sampled patches."),
)

# %%
run.picture(
    "ab_trajectory",
    plots.picture(plots.trajectory(result.trajectory), "Accuracy and its interval as trials arrive."),
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
