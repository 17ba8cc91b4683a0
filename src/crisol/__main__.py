"""``python -m crisol``: the command line, run by the Python interpreter of your choice."""

from crisol.cli import main

if __name__ == "__main__":
    main()
