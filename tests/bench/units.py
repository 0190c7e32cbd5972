#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Runs the unit tests beside this file and prints a verdict for each: "ok bench/NAME" or "FAIL bench/NAME: repeat with: COMMAND". Argument: one name."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools/bench")]


class Verdicts(unittest.TestResult):
    """Prints as the suites of ./invar test do."""

    def addSuccess(self, test: unittest.TestCase) -> None:
        print(f"ok bench/{name_of(test)}")

    def _fail(self, test: unittest.TestCase, error: tuple) -> None:  # type: ignore[type-arg]
        for line in self._exc_info_to_string(error, test).splitlines():  # type: ignore[attr-defined]
            print(f"    {line}")
        print(f"FAIL bench/{name_of(test)}: repeat with: ./invar test bench/{name_of(test)}")

    def addFailure(self, test: unittest.TestCase, err) -> None:  # type: ignore[no-untyped-def]
        super().addFailure(test, err)
        self._fail(test, err)

    def addError(self, test: unittest.TestCase, err) -> None:  # type: ignore[no-untyped-def]
        super().addError(test, err)
        self._fail(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.failures.append((test, reason))  # what was not tried has not passed
        print(f"    {reason}")
        print(f"FAIL bench/{name_of(test)}: repeat with: ./invar test bench")

    def addSubTest(self, test, subtest, err) -> None:  # type: ignore[no-untyped-def]
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(subtest, err)


def name_of(test: unittest.TestCase) -> str:
    """test_lines.LinesTest.test_a_row_is_read: lines/a_row_is_read."""
    words = test.id().split(" ")[0].split(".")
    return f"{words[0].removeprefix('test_')}/{words[-1].removeprefix('test_')}"


def tests_of(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    """All tests of a tree of suites."""
    found: list[unittest.TestCase] = []
    for part in suite:
        found += tests_of(part) if isinstance(part, unittest.TestSuite) else [part]
    return found


def main() -> int:
    """The program."""
    tests = tests_of(unittest.defaultTestLoader.discover(str(HERE), "test_*.py"))
    if len(sys.argv) > 1:
        tests = [test for test in tests if name_of(test) == sys.argv[1]]
    if not tests:
        print(f"    no unit test is called {' '.join(sys.argv[1:])} (./invar bench ROW measures a row)")
        return 2
    result = Verdicts()
    unittest.TestSuite(tests).run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
