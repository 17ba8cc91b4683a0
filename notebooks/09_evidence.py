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
# # How many wargames can the verdicts that are already known of a vulnerability spare?
#
# Candidates of one vulnerability arrive one after the other. What was wargamed before is known: a repeat has the verdict of
# the first (*facts*), the *memory* reads what separates a patch from those judged before, and the *cold* model reads the
# diff alone. Whatever none of them decides is wargamed, and known from then on. A verdict of the future is never used, nor
# one of a patch that was decided without a wargame.
#
# Every model here has learnt from other vulnerabilities. Thresholds were chosen on one half of the vulnerabilities and are
# measured on the other, both ways.

# %% tags=["parameters"]
seed = 0
run_id = ""
corpus: str = ""  # path of a corpus table; empty: execute nine arena vulnerabilities now
variant: str = "lightgbm"  # the cold model, a name of experiments/variants.yaml
repeats: int = 2  # [1, 100] orders of arrival of each vulnerability
alpha: float = 0.02  # (0, 1) the largest share of wrong patches among the accepted, and among those alike to a valid one
beta: float = 0.1  # (0, 1) the largest share of right patches among the refused
delta: float = 0.1  # (0, 1) the chance, over vulnerabilities, that a guaranteed share is exceeded

# %%
from crisol.config import load_settings
from crisol.lab import evidence, first_valid, ground_truth, shown
from crisol.tracking import plots, runs, stream_plots
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "evidence")
run.params({"seed": seed, "corpus": corpus, "variant": variant, "repeats": repeats, "alpha": alpha, "beta": beta, "delta": delta})
frame = ground_truth.open_corpus(settings, corpus, seed, smoke=ground_truth.WIDE)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
question = evidence.StreamQuestion(
    group="vulnerability", variant=variant, repeats=repeats, seed=seed, alpha=alpha, beta=beta
)
prepared = evidence.prepare_table(settings, question, frame)
measured = evidence.measure(prepared)
evidence.log(run, prepared, measured)

# %% [markdown]
# ## What a known verdict is worth
#
# After so many known verdicts, every patch being wargamed: AUC of the memory with an interval over vulnerabilities, that of
# the baselines, calibration; then what the whole ladder skips at that number, and what of it is wrong.

# %%
shown.whole(measured.by_known)

# %%
run.picture(
    "known_verdicts",
    plots.picture(
        stream_plots.known_verdicts(measured.by_known, measured.coverages),
        "AUC by known verdicts, with its interval (left); the share that the ladder skips then (middle); errors among "
        "the surest guesses, where a verdict is known (right).",
    ),
)

# %% [markdown]
# The memory earns its place where its line leaves the cold model's. The right figure compares them at equal coverage: the
# lower line is the one to trust.
#
# ## What each rung brings
#
# Shares of the wargames and of their seconds that a ladder of these rungs skips, each rung alone and each left out.
# Refused patches end early, so seconds are the honest price. Of what is accepted, and of what is refused, see how much
# was wrong: thresholds that looked right on one half need not hold on the other.

# %%
shown.whole(measured.policies)

# %% [markdown]
# ## Near misses
#
# A wrong patch that is alike to a known valid one by more than 0.8 is what an attacker sends, and what an operator of
# mutants makes. The policy has to hold there by itself.

# %%
shown.whole(measured.near_misses)

# %% [markdown]
# ## What can be guaranteed
#
# Draw a vulnerability and an order of its candidates: with confidence 1 - `delta`, at most `alpha` of what is accepted
# without a wargame is wrong, and at most `beta` of what is refused is right. Where the vulnerabilities are too few to show it,
# the memory abstains and says what is missing.

# %%
guarantee = evidence.certified(prepared, delta=delta)
run.metrics({"guarantee.skipped": guarantee.skipped})
print(f"{guarantee.skipped:.1%} of the wargames skipped with the guarantee; {guarantee.policy.reason}")

# %% [markdown]
# ## Until the first valid patch
#
# Forty candidates, one to merge: how many wargames does it take to find a valid one? In random order, likeliest first by
# the cold model, or with a memory that learns from each verdict which of the others is the likeliest.

# %%
wargames = first_valid.until_first_valid(prepared)
run.table("until_first_valid", wargames)
run.metrics(first_valid.totals(wargames))
shown.whole(wargames)

# %%
run.picture(
    "first_valid",
    plots.picture(
        stream_plots.first_valid(first_valid.found_by(wargames)),
        "Vulnerabilities with a valid patch of which one was found by so many wargames.",
    ),
)

# %%
run.finish()
