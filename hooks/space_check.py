#!/usr/bin/env python3
"""Check a Space folder before it leaves this machine: `python hooks/space_check.py [DIR]`.

A launcher for the package `space_checks` beside it, which needs nothing but the standard library.
"""

import sys

from space_checks import Finding, check, main

__all__ = ["Finding", "check", "main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
