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
# # What did running the exploits tell us about the candidate patches?
#
# Each candidate patch was *wargamed*: the proof of vulnerability (PoV) must succeed on the vulnerable code and fail
# on the patched code, and the code must still work. No label is written by hand.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now

# %%
from crisol.config import load_settings
from crisol.lab import ground_truth, shown
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "ground_truth")
run.params({"seed": seed, "corpus": corpus})

# %%
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %% [markdown]
# ## How much is there, and how many candidates are right?

# %%
composition = ground_truth.composition(frame)
run.table("composition", composition)
shown.whole(composition)

# %%
run.metrics(ground_truth.facts(frame))
ground_truth.facts(frame)

# %% [markdown]
# `share_valid_basic` is the share that survives the PoVs and the checks alone; `share_valid` also asks that no new
# name is undefined, and for agreement with the reference fix. The gap between the two is how many wrong patches a lenient label
# would have taught a model to accept.

# %%
run.picture(
    "labels_by_vulnerability",
    plots.picture(plots.labels(frame), "What the wargame said of the candidates of each vulnerability."),
)

# %% [markdown]
# A vulnerability whose bar has one colour only teaches a model nothing about right and wrong *within* that bug; such
# bars are why results are read by vulnerability and not by patch.

# %%
run.picture(
    "labels_by_origin",
    plots.picture(plots.labels(frame, by="origin"), "What the wargame said, by where the patch came from."),
)

# %% [markdown]
# Where an origin is nearly all of one colour, a model could learn who wrote a patch instead of whether it is right.

# %%
leaks = ground_truth.leaks(frame, seed)
run.table("leaks", leaks)
shown.whole(leaks)

# %% [markdown]
# Each row is a guess that never looks at the fix: by the share of right patches that the same origin has elsewhere, and by a
# linear model over comments, names, and lengths. It is measured on vulnerabilities that it did not learn from; 0.5 is
# chance. What stands above it is what any model could have for nothing.

# %%
reasons = ground_truth.by_reason(frame)
run.table("reasons", reasons)
shown.whole(reasons)

# %%
run.finish()
