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
# # Does a limit that follows latency keep answers quick while the service is slow?
#
# A fixed limit is set for good days. When the service becomes slower than the rate that it grants, requests pile up in
# front of it and every answer is late, for as long as the pile lasts. An adaptive limit halves the share that it grants
# after each bad second and adds a twentieth after each good one (`CRISOL_ADAPTIVE_LIMITS`; off by default).
#
# This is a simulation in virtual time with the real bucket and the real rule: the same requests meet both limits.

# %% tags=["parameters"]
seed = 0
run_id = ""
offered: float = 80.0  # (0, inf) requests that arrive in a second
capacity: float = 100.0  # (0, inf) requests that the server answers in a second when it is well
factor: float = 4.0  # [1, inf) how many times slower it becomes
begins: float = 30.0  # [0, inf) second at which it becomes slow
ends: float = 90.0  # [0, inf) second at which it is well again
seconds: float = 150.0  # (0, inf) length of the run
target_seconds: float = 0.2  # (0, inf) what an answer may take

# %%
from crisol.config import load_settings
from crisol.lab import adaptive, shown
from crisol.resilience.adaptive import AdaptivePolicy
from crisol.tracking import load_plots, plots, runs

run = runs.join(load_settings(), run_id, "adaptive_limit")
run.params({"seed": seed, "offered": offered, "capacity": capacity, "factor": factor, "begins": begins, "ends": ends, "seconds": seconds, "target_seconds": target_seconds})
slowdown = adaptive.Slowdown(
    offered=offered, capacity=capacity, factor=factor, begins=begins, ends=ends, seconds=seconds
)
policy = AdaptivePolicy(target_seconds=target_seconds)
frame = adaptive.compare(slowdown, policy, seed)
run.table("adaptive_limit_seconds", frame)

# %%
table = adaptive.summary(frame, slowdown)
run.table("adaptive_limit", table)
run.metrics(adaptive.metrics(table))
shown.whole(table)

# %%
run.picture(
    "adaptive_limit",
    plots.picture(
        load_plots.adaptation(frame, begins, ends, target_seconds),
        "Latency, refusals and the granted share, second by second; the server is slow in the grey band.",
    ),
)

# %% [markdown]
# Under the fixed limit the pile grows as long as the server is slow, and melts at the rate by which the server is faster than
# its clients ask. Under the adaptive one the first seconds are late, too, for nobody knows yet; then what is let in is what can
# be answered, and the rest is told at once when to come back. A limit makes no server faster: it decides whether clients
# wait for an answer or for their turn.
#
# It costs something on good days as well: where the target (dotted) lies near the latency of a busy second, such a
# second halves the share although nothing is wrong. Choose a target that good days do not reach.

# %%
run.finish()
