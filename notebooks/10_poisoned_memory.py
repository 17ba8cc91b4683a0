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
# # When is it noticed that somebody has poisoned the memory halfway?
#
# The memory decides a patch by the verdicts that are known of its vulnerability. If these become wrong, in a store that
# somebody could write to, the memory is wrong with the best conscience: no wargame contradicts it, for what it decides is not
# wargamed. A/B sampling is what still looks. It wargames a share of what the memory decides, and the alarm of that rung fires
# where its errors exceed what was promised: 2 % of the accepted, 10 % of the refused.
#
# Here candidates of many vulnerabilities arrive interleaved. Halfway, every verdict in the memory, and every one that it learns
# from then on, is turned round. The same arrivals without poison stand next to it: there, no alarm is to come.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute nine arena vulnerabilities now
variant: str = "lightgbm"  # the cold model, a name of experiments/variants.yaml
repeats: int = 2  # [1, 100] orders of arrival of each vulnerability, each a stream of its own
after: float = 0.5  # [0, 1] the share of the arrivals before the poison
rate: float = 0.5  # [0, 1] the probability with which a decision of the memory is wargamed
beta: float = 0.05  # (0, 1) what share of the refused may be right when thresholds are chosen; the alarm watches for 10 %

# %%
from crisol.config import load_settings
from crisol.lab import evidence, ground_truth, poisoning, shown
from crisol.tracking import plots, runs, stream_plots
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "poisoned_memory")
run.params({"seed": seed, "corpus": corpus, "variant": variant, "repeats": repeats, "after": after, "rate": rate, "beta": beta})
frame = ground_truth.open_corpus(settings, corpus, seed, smoke=ground_truth.WIDE)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
question = evidence.StreamQuestion(
    group="vulnerability", variant=variant, repeats=repeats, seed=seed, beta=beta
)
prepared = evidence.prepare_table(settings, question, frame)
clean = poisoning.poison(prepared, after=1.0, rate=rate, seed=seed)
poisoned = poisoning.poison(prepared, after=after, rate=rate, seed=seed)
run.metrics(poisoned.metrics())
run.table("poisoned_alarms", poisoned.alarms)
run.table("clean_alarms", clean.alarms)

# %% [markdown]
# ## The alarms
#
# Without poison, then with it; numbers are arrivals, counted from 1. An alarm that was not raised has none.

# %%
shown.whole(clean.alarms)

# %%
print(f"poisoned from arrival {poisoned.begins} of {len(poisoned.arrivals)} on")
shown.whole(poisoned.alarms)

# %% [markdown]
# ## What the memory did
#
# How much it skipped, and how much of that was wrong, before and after; what was sampled is all that anybody sees of it.
# An alarm that is not raised is right where the errors stay below what was promised: false verdicts do little harm as long
# as the second stage leans on the cold model.

# %%
phases = poisoned.phases()
run.table("phases", phases)
shown.whole(phases)

# %%
run.picture(
    "poisoned",
    plots.picture(
        stream_plots.poisoned(poisoned.errors(), clean.errors(), poisoned.begins, poisoned.first_alarm),
        "Errors among what the memory decided, over the last hundred decisions; the poison begins at the grey line, the "
        "alarm at the red one.",
    ),
)

# %%
run.finish()
