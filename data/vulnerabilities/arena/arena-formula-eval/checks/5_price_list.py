"""A price list holds the price of each article in cents."""

from pricing import Article, price_list

articles = [Article("tea", 2.5, 0.1, 40), Article("kettle", 20.0, 1.4, 3)]
assert price_list(articles, "cost * 1.5 + (2 if weight > 1 else 0)") == {"tea": 375, "kettle": 3200}
