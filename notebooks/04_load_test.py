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
# # Does the service keep its promises under load?
#
# A service of its own is started and asked for real candidate patches, by a client in a process of its own. In a
# closed loop each connection asks again when it was answered; in an open one the clock decides, and latency counts
# from the moment at which a request was meant to start, so that a stall is charged to whoever stalled. The warm-up
# is not counted. The notebook fails when a target is missed.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute three of our own vulnerabilities now
profile: str = "closed"  # {closed, constant, poisson, ramp, spike, soak} closed loop, or a kind of open loop
requests: int = 1000  # [1, inf) of a closed loop
rate: float = 100.0  # (0, inf) requests a second of an open loop
seconds: float = 5.0  # (0, inf) of an open loop
warm_up: float = 0.1  # [0, 1) share of the load that fills the caches and is not counted
connections: int = 50  # [1, inf)
sources: int = 8  # [1, inf) addresses of the loopback network from which the client asks
zipf: float = 1.0  # [0, inf) how unequal the patches' popularity is; 0: all alike
mix: list[str] = ["ml-first=1"]  # shares of ml-first and validate
rates: list[float] = [100.0, 400.0]  # (0, inf) requests a second at which saturation is looked for
rate_seconds: float = 1.0  # (0, inf) at each of them
targets: list[str] = ["errors < 0.001", "wrong_answers <= 0"]  # measure, comparison, number

# %%
from crisol.config import load_settings
from crisol.lab import ground_truth, shown
from crisol.lab.tracked_load import log_load
from crisol.loadtest import plan, study
from crisol.loadtest import targets as judged
from crisol.tracking import load_plots, plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "load_test")
run.params({"seed": seed, "corpus": corpus, "profile": profile, "requests": requests, "rate": rate, "seconds": seconds, "warm_up": warm_up, "connections": connections, "sources": sources, "zipf": zipf, "mix": mix, "rates": rates, "rate_seconds": rate_seconds, "targets": targets})
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
wanted = study.plan(
    profile,
    requests=requests,
    rate=rate,
    seconds=seconds,
    connections=connections,
    sources=sources,
    zipf=zipf,
    seed=seed,
    mix=plan.mix(mix),
    warm_up=warm_up,
)
measured = study.measure(settings, frame, wanted, rates=rates, rate_seconds=rate_seconds, targets=targets)
load = measured.result
percentiles, over_time = log_load(run, load, targets)
shown.whole(load.table)

# %% [markdown]
# `saturated` is 1 where the client used most of a core or sent late without the service being slow: then the figures
# are partly its own. `other_cores` says what else kept the machine busy, the client included. `wrong_answers` counts
# answers that differ from what their declared source says. What failed, by kind:

# %%
shown.whole(load.failures)

# %% [markdown]
# ## How slow are the slowest?

# %%
percentiles

# %% [markdown]
# ## What happened over time?

# %%
over_time

# %% [markdown]
# ## Until where does it keep up?
#
# Open loops at rising rates; where answers fall behind what is asked, the queue grows and latency with it.

# %%
run.table("saturation", measured.saturation)
run.picture(
    "saturation",
    plots.picture(load_plots.saturation(measured.saturation), "Answers against requests; latency against answers."),
)

# %% [markdown]
# ## Does another client see the same?
#
# A closed loop by our client and by wrk, which is written in C, on the same service and the same patches in the same order.
# Where the ratio of the throughputs is far from 1, our figures describe our client. Empty without wrk.

# %%
run.table("cross_check", measured.other)
shown.whole(measured.other)

# %% [markdown]
# ## Were the targets met?

# %%
checked = judged.check(judged.parse_all(targets), load.metrics)
run.table("targets", judged.table(checked))
shown.whole(judged.table(checked))

# %%
judged.require(checked)

# %%
run.finish()
