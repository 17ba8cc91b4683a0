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
false_accepts: float = 0.05  # (0, 1) the largest share of wrong patches that the model may accept alone
alpha: float = 0.02  # (0, 1) risk control: the largest share of wrong patches among those accepted alone
beta: float = 0.1  # (0, 1) and of right ones among those refused alone
delta: float = 0.1  # (0, 1) and the chance, over vulnerabilities, that either is exceeded
outer: str = "group"  # {group, project, cwe} by what folds are made: the vulnerability, the package or the weakness
search: bool = True  # whether each training set chooses its hyper-parameters
promote: bool = False  # whether a challenger that passes the gate becomes champion
accept_hours: float = 1.0  # [0, inf) what a false accept costs, in hours of computing

# %%
from crisol.config import load_settings
from crisol.lab import compare, explanation, frontier, ground_truth, nested, promotion, shown
from crisol.lab.attribution import attribution
from crisol.tracking import plots, runs
from crisol.wargaming.corpus import content_hash

settings = load_settings()
run = runs.join(settings, run_id, "compare_variants")
run.params({"seed": seed, "corpus": corpus, "variants": variants, "false_accepts": false_accepts, "alpha": alpha, "beta": beta, "delta": delta, "outer": outer, "search": search, "promote": promote, "accept_hours": accept_hours})
frame = ground_truth.open_corpus(settings, corpus, seed)
run.input("corpus", frame, content_hash(frame), corpus or "smoke")
shown.notice(frame)

# %%
comparison = compare.compare(
    frame,
    seed,
    names=variants,
    false_accepts=false_accepts,
    alpha=alpha,
    beta=beta,
    delta=delta,
    search=search,
    outer=outer,
)
nested.log_comparison(run, settings, comparison)
run.table("hyperparameters", comparison.choices)

# %% [markdown]
# ## The variants, best first
#
# The headline is the AUC on patches that agents and people wrote; all candidates, mutants of ours among them, stand next to
# it. The controls come below the variants: *style alone* learns from comments, size, layout, names and the texts that mutants
# are made with, *origin alone* and *majority* from less; none of them looks at what a patch does. What a model is worth is its
# distance from them. Features leave out comments, docstrings and blank lines already.

# %%
run.table("variants", comparison.table)
shown.whole(comparison.table)

# %%
run.table("origins", comparison.origins)
shown.whole(comparison.origins)

# %%
run.picture(
    "auc",
    plots.picture(
        plots.forest(
            comparison.intervals, what="AUC on patches of agents and people, unseen vulnerabilities", reference=0.5
        ),
        "Area under the ROC curve of each variant and control, with an interval from resampling whole vulnerabilities.",
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
# ## How many wargames may be skipped?
#
# Risk control (Learn-then-Test over vulnerabilities) lets a variant decide alone only where, with confidence 1 - `delta`, at
# most `alpha` of what it accepts is wrong and at most `beta` of what it refuses is right, on vulnerabilities to come. Where the
# data cannot show it, it abstains and says why.

# %%
run.table("risk", comparison.risk)
shown.whole(comparison.risk)

# %% [markdown]
# The champion at other levels, for either class: what may be skipped with the guarantee, how many vulnerabilities
# without an error it takes at least, and what the same patches look like without a guarantee.

# %%
guarantees = comparison.guarantees(seed, delta)
run.table("guarantees", guarantees)
shown.whole(guarantees)

# %%
frontiers = comparison.frontiers(float(frame["seconds"].mean()), accept_hours * 3600)
run.table("frontier", frontiers[comparison.best])
run.picture(
    "tradeoff",
    plots.picture(
        plots.tradeoff(frontiers, comparison.coverages, alpha),
        "False accepts against wargames skipped at every threshold (left; the star is 80 % at 2 %), and the errors "
        "among the surest guesses (right). These are the patches at hand, without a guarantee.",
    ),
)

# %% [markdown]
# The cost of a patch in seconds, of wargames run and false accepts suffered, is least at this threshold; 1 is never to skip:

# %%
shown.whole(frontiers[comparison.best].sort_values(["seconds", "threshold"], ascending=[True, False]).head(1))

# %% [markdown]
# ## What does the best of the trees look at?
#
# Without a group of features, and with nothing but it; then, for the variant that reads the source around a patch, the
# same of each group of those features.

# %%
ablation = explanation.ablations(settings, comparison, seed)
run.table("ablation", ablation)
shown.whole(ablation)

# %%
shap_values = attribution(explanation.explained(settings, comparison), comparison.patches, seed=seed)
run.table("attribution", shap_values)
shown.whole(shap_values)

# %% [markdown]
# ## The ten worst mistakes
#
# The surest first, each with what the wargame found.

# %%
mistakes = frontier.mistakes(comparison.patches, comparison.best_scores)
run.table("mistakes", mistakes)
shown.whole(mistakes.drop(columns="diff"))

# %%
for row in mistakes.itertuples():
    print(f"{row.kind}, {row.probability:.2f}: {row.group}, {row.origin}, {row.reason}\n{row.diff}\n")

# %% [markdown]
# ## Who should be champion
#
# The variant that saves most wargames at the risk that is set; where all save alike, the one with the largest AUC. It
# takes the title with `promote`, unless the champion does better or stands on more vulnerabilities.

# %%
if promote:
    print(promotion.promote(settings, run, comparison, comparison.champion, seed).reason)
else:
    print(f"{comparison.champion} would be proposed; set promote to hold it against the champion")

# %%
run.finish()
