# SPDX-License-Identifier: Apache-2.0
"""A line for each check, and the count at the end."""


class Report:
    """Prints each result as it comes. Nothing is skipped here: what can't be checked has failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def add(self, name, good, expected, got):
        """One check: got is shown either way, expected only if it failed."""
        if good:
            self.passed += 1
            print(f"ok      {name}: {got}")
        else:
            self.failed += 1
            print(f"FAILED  {name}: expected {expected}, got {got}")

    def match(self, name, pattern, got):
        """One check: the whole of got matches the compiled pattern. Returns the match, or None."""
        found = pattern.fullmatch(got)
        self.add(name, found, f"a match of {pattern.pattern}", got)
        return found

    def close(self):
        """Prints the count, as the last line; returns whether all is well."""
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        return self.failed == 0 and self.passed > 0
