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
# # What breaks when something breaks?
#
# A service is under steady load while a fault is really injected, each on a service and servers of its own. Whatever
# breaks, no trial may be lost and no answer may differ from the truth of the source that it declares; what else a
# fault may cost stands in the expectations. The notebook fails when one is missed.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
faults: list[str] = ["hostile_patches"]  # names of faults; empty: all that this machine lets us inject
expectations: list[str] = ["*: trials_lost <= 0"]  # fault, or * for all: measure, comparison, number
calm: float = 1.0  # (0, inf) seconds before the fault
lasting: float = 2.0  # (0, inf) seconds of the fault
after: float = 3.0  # (0, inf) seconds after it, beside what the service waits before it tries again
rate: float = 10.0  # (0, inf) requests a second all along

# %%
from crisol.chaos import study
from crisol.chaos.run import Schedule
from crisol.config import load_settings
from crisol.lab import ground_truth, shown
from crisol.loadtest import targets as judged
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "chaos")
run.params({"seed": seed, "corpus": corpus, "faults": faults, "expectations": expectations, "calm": calm, "lasting": lasting, "after": after, "rate": rate})
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
schedule = Schedule(calm=calm, fault=lasting, after=after, rate=rate, seed=seed)
suffered = list(study.each(settings, frame, faults, expectations, schedule))
table = study.table(suffered)
run.table("chaos", table)
run.metrics(study.metrics(suffered))
shown.whole(table.T.reset_index(names="measure"))

# %% [markdown]
# `detect_s` counts from the fault's beginning to the first sign: a breaker that is not closed, an answer that says
# what it lacks, a failure; empty where the fault was never felt. `recover_s` counts from its end to the moment before
# five seconds without a sign; `strays` are signs before the fault and after the recovery.
#
# ## What each fault looked like

# %%
pictures = [
    run.picture(
        f"fault_{suffering.episode.fault.name}",
        plots.picture(study.drawn(suffering), suffering.episode.fault.story),
    )
    for suffering in suffered
]
pictures[0]

# %% [markdown]
# The bars on top are the fault, which shades the rest, and the times for which a breaker was not closed. Not run, for
# the reason beside it:

# %%
run.table("not_run", study.not_run())
shown.whole(study.not_run())

# %% [markdown]
# ## Were the expectations met?

# %%
checked = [check for suffering in suffered for check in suffering.checked]
run.table("expectations", study.verdicts(suffered))
shown.whole(study.verdicts(suffered))

# %%
judged.require(checked)

# %%
run.finish()
