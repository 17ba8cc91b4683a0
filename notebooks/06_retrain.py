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
# # Do the trials that A/B testing gathered make a better model?
#
# Every wargame of an A/B experiment is one more labelled patch. Some of the vulnerabilities that have trials are set aside. The
# challenger learns everything else with the trials, the same variant learns it without them, and so does the champion's variant;
# all predict what was set aside. What the trials brought is the difference between the first two, of the same variant and corpus.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute nine of our own vulnerabilities now
variant: str = "lightgbm"
rate: float = 0.5  # [0, 1] probability with which the experiment that gathers trials samples a sure patch
errors: float = 0.1  # (0, 1) share of errors at which the champion decides alone, on the vulnerabilities that taught it
met: float = 0.8  # (0, 1) share of the vulnerabilities that the experiment meets
held_out: float = 0.7  # (0, 1) share of those that the comparison is made on, at least five of them
promote: bool = False  # whether a challenger that passes the gate becomes champion

# %%
from crisol.config import load_settings
from crisol.lab import ab_experiment, disagreements, ground_truth, nested, retraining, shown
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "retrain")
run.params({"seed": seed, "corpus": corpus, "variant": variant, "rate": rate, "errors": errors, "met": met, "held_out": held_out, "promote": promote})
frame = ground_truth.open_corpus(settings, corpus, seed, ground_truth.WIDE)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %% [markdown]
# ## The trials
#
# Those of an experiment whose champion had learnt the other vulnerabilities. In service they are the trials of the
# experiment `live`, and `crisol retrain` reads them.

# %%
gathering = ab_experiment.experiment(
    settings, frame, seed, variants=[variant], rate=rate, errors=errors, held_out=met
)
gathered = retraining.gather(settings, frame, gathering.experiment)
run.metrics({"trials.patches": len(gathered.patches), "trials.inconclusive": gathered.inconclusive})
len(gathered.patches), gathered.inconclusive, gathered.without_text

# %% [markdown]
# ## With them and without
#
# What the experiment met is unknown to the corpus here, as it would be in service. Sampling prefers patches of which the
# champion was unsure, so each counts by the inverse of the probability with which it was sampled: the figures are of
# the patches that arrive.

# %%
learnt, _ = disagreements.split(frame, seed, met)
design = retraining.RetrainingDesign(variant, seed, held_out, promote)
retrained = retraining.retrain(settings, run, learnt, gathered, design)
nested.log_retraining(run, retrained)
run.table("retraining", retrained.table)
shown.whole(retrained.table)

# %%
run.picture(
    "retraining",
    plots.picture(
        plots.forest(retrained.intervals, what="AUC on the vulnerabilities set aside", reference=0.5),
        "AUC with and without the trials, and of the champion's variant, on vulnerabilities that were set aside.",
    ),
)

# %% [markdown]
# Few vulnerabilities rank nothing: intervals that overlap leave it open which model is better. The gate asks what is shown,
# by a paired bootstrap over vulnerabilities. The champion stays unless `promote` is set and the gate lets the challenger pass;
# it never yields to a model of fewer vulnerabilities.

# %%
print(retrained.brought)
print(f"challenger against champion: {retrained.reason}")
print("the challenger is champion now" if retrained.promoted else "the champion stays")

# %%
print(retrained.policy)

# %%
run.finish()
