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
# # How much certainty does a lower sampling rate cost?
#
# The same models meet the same patches at several rates. A patch that is sampled at a low rate is sampled at every
# higher one, so the rows differ by what was added and not by luck.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
variants: list[str] = []  # names of variants, the champion first; empty: the first there is
rates: list[float] = [0.1, 0.5, 1.0]  # (0, 1] probabilities with which a patch is sampled of which the model is sure
errors: float = 0.1  # (0, 1) share of errors at which the champion decides alone, on the vulnerabilities that taught it
held_out: float = 0.5  # (0, 1) share of the vulnerabilities that the model does not see in training

# %%
from crisol.config import load_settings
from crisol.lab import ab_experiment, ground_truth, shown
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "ab_rate_sweep")
run.params({"seed": seed, "corpus": corpus, "variants": variants, "rates": rates, "errors": errors, "held_out": held_out})
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
table = ab_experiment.sweep(settings, frame, seed, rates, variants=variants, errors=errors, held_out=held_out)
run.table("ab_rates", table)
shown.whole(table)

# %% [markdown]
# `wargamed` is what a rate costs, the width from `low` to `high` what it buys. `naive` counts the trials alike and comes
# near `whole`, what wargaming every patch says, only as the rate comes near 1; `estimate` is near it at every rate.

# %%
rows = [(f"rate {r.rate:g}", r.estimate, r.low, r.high) for r in table.itertuples()]
run.picture(
    "ab_rates",
    plots.picture(
        plots.forest(rows, what="accuracy", reference=table["whole"].iloc[0]),
        "Weighted accuracy at each rate; the dashed line is what wargaming every patch says.",
    ),
)

# %%
run.finish()
