"""A log that is not there is a LogError, for both commands."""

from logstats import LogError, count_lines, newest_lines


def fails(function, *arguments):
    """Tell whether the call ends in LogError."""
    try:
        function(*arguments)
    except LogError:
        return True
    return False


assert fails(count_lines, "absent.log", "x")
assert fails(newest_lines, "absent.log")
