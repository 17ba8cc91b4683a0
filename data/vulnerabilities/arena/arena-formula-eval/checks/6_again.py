"""After a refused formula the next one is computed, in every thread; arguments pass by keyword, and the row stays as it is."""

import threading

from pricing import Article, FormulaError, evaluate, price_list

fields = {"cost": 12.5, "stock": 7}
results = []


def work():
    """Compute what fails, and then what does not."""
    for formula in ("cost +", "1 / 0", "nothing", "().__class__", ""):
        try:
            evaluate(formula, fields)
        except FormulaError:
            pass
    results.append(evaluate(formula="max(cost, stock) - 2", fields=fields))


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [10.5] * 3
assert fields == {"cost": 12.5, "stock": 7}
assert price_list([], "cost") == {}
article = Article(name="tea", cost=2.5, weight=0.1, stock=4)
assert price_list(articles=[article], formula="((cost)) if stock else 0") == {"tea": 250}
assert article.fields() == {"cost": 2.5, "weight": 0.1, "stock": 4}
assert evaluate("1" + " + 1" * 74, {}) == 75
