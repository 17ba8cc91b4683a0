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
# # Which model variant tells right patches from wrong ones, on vulnerabilities that it has never seen?
#
# Folds are made by vulnerability: no bug that a model is tested on was seen in training. A random split would measure
# how well a model recognises the bug.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
variants: list[str] = []  # names of variants; empty: all
false_accepts: float = 0.05  # the largest share of wrong patches that the model may accept alone

# %%
from crisol.config import load_settings
from crisol.lab import compare, ground_truth, plots, promotion, tracking
from crisol.wargame.corpus import content_hash

settings = load_settings()
run = tracking.join(settings, run_id, "compare_variants")
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")

# %%
comparison = compare.compare(frame, seed, names=variants, false_accepts=false_accepts)
run.metrics(comparison.metrics)

# %% [markdown]
# ## The variants, best first

# %%
run.table("variants", comparison.table)
comparison.table

# %%
run.picture(
    "auc",
    plots.picture(
        plots.forest(comparison.intervals, what="AUC on unseen vulnerabilities", reference=0.5),
        "Area under the ROC curve of each variant, with an interval from resampling whole vulnerabilities.",
    ),
)

# %% [markdown]
# 0.5 (dashed) is guessing. An interval that contains it says that these vulnerabilities do not show that the variant
# has learnt anything; overlapping intervals do not rank two variants.

# %%
run.picture(
    "roc",
    plots.picture(
        plots.curves(comparison.truth, comparison.scores),
        "Valid patches accepted against invalid ones accepted (left), precision against recall (right).",
    ),
)

# %% [markdown]
# A wrong patch that is accepted costs most: read the left figure at its left edge.

# %%
run.picture(
    "confusion",
    plots.picture(plots.confusion(comparison.confusions), "Confusion matrices at a probability of one half."),
)

# %%
run.picture(
    "reliability",
    plots.picture(
        plots.reliability(comparison.truth, comparison.scores),
        "Predicted probability against the share that was valid, in bins of equal count.",
    ),
)

# %% [markdown]
# ML-first trusts a model where it is sure, so a probability has to mean what it says: below the diagonal a variant
# promises more valid patches than there are.
#
# ## The best becomes the champion, unless the one that holds the title does better

# %%
print(promotion.promote(settings, run, comparison, comparison.best, seed).reason)

# %%
run.finish()
