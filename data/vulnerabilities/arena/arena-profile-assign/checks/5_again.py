"""After a form that is refused the next one is taken, in every thread, also by the import; accounts share nothing."""

import threading

from members import Account, ProfileError, import_rows, update

done = []


def work():
    """Alternate between forms that are refused and others."""
    account, other = Account(7, "Ana", "ana@example.org"), Account(8, "Bob")
    for name in ("email", "nickname", "address.planet", ".", ""):
        try:
            update(account, {name: "x"})
        except ProfileError:
            pass
        form = {"address.city": "Faro", "settings.theme": "dark", "name": "Zoe", "newsletter": "on"}
        kept = dict(form)
        assert update(account=account, form=form) is account and form == kept
        assert (account.address.city, account.settings.theme, account.name, account.email) == ("Faro", "dark", "Zoe", "ana@example.org")
        rows = [{"number": "8", "name": "Rob"}, {"number": "7", "address.street": "Road 1"}]
        assert import_rows(accounts=[account, other], rows=rows) == 2 and rows[0] == {"number": "8", "name": "Rob"}
        assert (other.name, other.address.city, account.address.street) == ("Rob", "", "Road 1")
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
