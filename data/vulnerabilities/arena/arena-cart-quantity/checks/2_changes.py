"""An amount is set anew, and zero removes the article, also one that is not there."""

from cart import Cart

cart = Cart({"ham": 18.9, "eggs": 0.4})
cart.add("eggs", "6")
cart.add("ham")
cart.change("eggs", "2")
assert cart.amounts == {"eggs": 2.0, "ham": 1.0}
cart.change("ham", "0,1225")
assert cart.amounts["ham"] == 0.1225
cart.change("ham", "0,125")
cart.change("eggs", "0")
cart.change("butter", "0.0")
assert cart.amounts == {"ham": 0.125}
