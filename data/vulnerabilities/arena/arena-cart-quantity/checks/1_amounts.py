"""Pieces and parts of a kilogram add up, with comma or point."""

from cart import Cart, Customer, Order

cart = Cart({"ham": 20.0, "eggs": 0.4})
cart.add("eggs", "6")
cart.add("ham", "0,25")
cart.add("ham", " 0.5 ")
cart.add("eggs")
assert cart.amounts == {"eggs": 7.0, "ham": 0.75}
assert cart.total() == 17.8
ana = Customer("ana", 20.0)
assert cart.check_out(ana) == Order("ana", {"eggs": 7.0, "ham": 0.75}, 17.8)
assert ana.balance == 2.2
assert cart.amounts == {}
