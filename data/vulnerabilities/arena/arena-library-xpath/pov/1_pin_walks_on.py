"""A reader logs in with the own PIN, and the path walks on to another reader."""

import sys

from library import Library

library = Library(
    "<library><reader name='admin' pin='9182' role='admin'/><reader name='eve' pin='1111'/></library>"
)
try:
    reader = library.log_in("eve", "1111']/../reader[@name='admin")
except (ValueError, SyntaxError, PermissionError):
    sys.exit(1)
sys.exit(0 if reader and reader.role == "admin" else 1)
