"""After a refused amount or payment the cart and the customer are as before, and the next payment is made."""

from cart import Cart, CartError, Customer, Order

cart, customer = Cart({"tea": 2.5, "nuts": 10.0}), Customer("Ana", 30.0)
cart.add("tea", "2")
for function, arguments in (
    (cart.add, ("tea", "x")),
    (cart.add, ("tea", "")),
    (cart.add, ("coffee", "1")),
    (cart.add, ("nuts", "501")),
    (cart.change, ("nuts", "500.5")),
    (cart.change, ("coffee", "2")),
    (cart.change, ("tea", "one")),
    (cart.check_out, (customer, "many")),
    (cart.check_out, (customer, "25.01")),
):
    try:
        function(*arguments)
    except CartError:
        assert (cart.amounts, customer.balance) == ({"tea": 2.0}, 30.0), arguments
        continue
    raise AssertionError(arguments)
cart.change(article="nuts", amount=" 1,5 ")
cart.add(article="nuts")
cart.change("tea", "0.0")
assert cart.amounts == {"nuts": 2.5} and cart.total() == 25.0
assert cart.check_out(customer=customer, tip="5") == Order("Ana", {"nuts": 2.5}, 30.0)
assert customer.balance == 0.0 and cart.amounts == {}
cart.change("nuts", "0")
other = Cart({"free": 0.0, "tea": 0.01})
other.add("free", "500")
other.add("tea", "0,1")
assert other.check_out(Customer("Bo", 0.0)).total == 0.0 and cart.amounts == {}
