"""``python -m crisol``: the command line, for those who start it from another interpreter."""

from crisol.cli import main

if __name__ == "__main__":
    main()
