# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The guard's judgement, the acceptance of rising costs, and the command line."""

import tempfile
import unittest
import unittest.mock
from pathlib import Path

import reference as reference_module
from bench import options_read
from boot import Boot
from failure import Failure
from figures import Column, outputs_combine
from guard import above_linux_faults, over, row_faults, same_twice
from lines import Output, Row
from memory import Memory
from reference import Kept, Reference, accept, accepted_lines, linux_read, reference_read, rises
from report import Provenance, Report


def column(name: str, median: float) -> Column:
    """A column of one row and one seed."""
    return outputs_combine([(1, Output(rows={name: Row(name, "op", median, median, median, 3, 10, {})}))])


def reference(boot: float = 1000, **rows: float) -> Reference:
    """A reference of rows without spread."""
    return Reference({name: Kept(median, 0.0) for name, median in rows.items()}, "gcc", "gcc", {"q35": boot}, 8, 4000)


def output(**rows: float) -> Output:
    """What a machine printed."""
    return Output(rows={name: Row(name, "op", median, median, median, 3, 10, {}) for name, median in rows.items()})


class GuardTest(unittest.TestCase):
    """guard.py."""

    def test_two_machines_print_the_same(self) -> None:
        self.assertEqual(same_twice(output(a=1, b=2), output(a=1, b=2), self.fail), [])

    def test_a_third_machine_decides_about_one_row(self) -> None:
        for third, faults in ((output(a=1, b=2), 0), (output(a=1, b=3), 0), (output(a=1, b=4), 1), (output(a=5, b=2), 1)):
            with self.subTest(third=third):
                self.assertEqual(len(same_twice(output(a=1, b=2), output(a=1, b=3), lambda third=third: third)), faults)

    def test_several_rows_that_differ_are_at_fault(self) -> None:
        self.assertEqual(len(same_twice(output(a=1, b=2), output(a=2, b=3), self.fail)), 2)
        self.assertEqual(len(same_twice(output(a=1), Output(none={"a": "gone"}), lambda: Output(broken={"a": "wrong"}))), 1)

    def test_ten_per_cent_pass_and_more_fails(self) -> None:
        self.assertEqual(row_faults("stat", column("stat", 110), Kept(100, 0)), [])
        self.assertIn("10.1 % over", row_faults("stat", column("stat", 110.1), Kept(100, 0))[0])
        self.assertIn("--accept", row_faults("stat", column("stat", 120), Kept(100, 0))[0])

    def test_a_larger_spread_is_the_limit(self) -> None:
        self.assertEqual(row_faults("stat", column("stat", 125), Kept(100, 0.26)), [])
        self.assertNotEqual(row_faults("stat", column("stat", 127), Kept(100, 0.26)), [])

    def test_rows_that_went_or_came_or_broke_fail(self) -> None:
        self.assertIn("is none", row_faults("stat", outputs_combine([(1, Output(none={"stat": "gone"}))]), Kept(100, 0))[0])
        self.assertEqual(row_faults("stat", outputs_combine([(1, Output(none={"stat": "gone"}))]), None), [])
        self.assertIn("not in bench/reference.json", row_faults("stat", column("stat", 1), None)[0])
        self.assertIn("broken", row_faults("stat", outputs_combine([(1, Output(broken={"stat": "wrong"}))]), Kept(100, 0))[0])

    def test_above_linux_wants_a_caveat(self) -> None:
        linux = {"stat": Kept(100, 0)}
        self.assertEqual(above_linux_faults("stat", column("stat", 100), linux, ""), [])
        self.assertIn("CAVEATS", above_linux_faults("stat", column("stat", 101), linux, "about `fstat`")[0])
        self.assertEqual(above_linux_faults("stat", column("stat", 101), linux, "- `stat` takes more because"), [])

    def test_boot_and_shell_have_two_limits(self) -> None:
        self.assertEqual(over("boot", 110, 100, 120), [])
        self.assertEqual(len(over("boot", 130, 100, 120)), 2)
        self.assertEqual(over("boot", 130, None, None), [])


class AcceptTest(unittest.TestCase):
    """reference.py."""

    def test_only_rises_want_a_line(self) -> None:
        found = rises(reference(a=100, b=100, c=100), reference(a=101, b=102, c=50))
        self.assertEqual([(rise.name, rise.old, rise.new) for rise in found], [("b", 100, 102)])

    def test_a_row_that_goes_wants_a_line(self) -> None:
        found = rises(reference(a=100), reference())
        self.assertEqual([(rise.name, rise.new) for rise in found], [("a", None)])
        self.assertTrue(found[0].is_accepted(accepted_lines("| 2026-01-01 | a | 100 | none | measured otherwise |")))

    def test_boot_rises_as_rows_do(self) -> None:
        self.assertEqual([rise.name for rise in rises(reference(1000), reference(1100))], ["boot_q35"])

    def test_a_line_covers_its_own_rise_only(self) -> None:
        rise = rises(reference(a=1000), reference(a=1200))[0]
        for line, accepted in (
            ("| 2026-01-01 | a | 1000 | 1200 | walls |", True),
            ("| 2026-01-01 | `a` | 1,000 | 1,201 | walls |", True),
            ("| 2026-01-01 | a | 900 | 1200 | walls |", False),
            ("| 2026-01-01 | a | 1000 | 1100 | walls |", False),
            ("| 2026-01-01 | b | 1000 | 1200 | walls |", False),
            ("| 2026-01-01 | a | 1000 | 1200 | |", False),
            ("| 2026-01-01 | a | 1000 | 1200 | why |", False),
            ("| yesterday | a | 1000 | 1200 | walls |", False),
        ):
            with self.subTest(line=line):
                self.assertEqual(rise.is_accepted(accepted_lines(line)), accepted)

    def test_the_wanted_line_is_accepted_once_it_has_a_reason(self) -> None:
        rise = rises(reference(a=1234.56), reference(a=2345.67))[0]
        self.assertFalse(rise.is_accepted(accepted_lines(rise.line("2026-01-01"))))
        self.assertTrue(rise.is_accepted(accepted_lines(rise.line("2026-01-01").replace("why", "the wall's price"))))


class AcceptFilesTest(unittest.TestCase):
    """accept(), with the tree's files in a folder of the test's own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("REFERENCE", "LINUX", "ACCEPTED"):
            patch = unittest.mock.patch.object(reference_module, name, self.folder / name.lower())
            patch.start()
            self.addCleanup(patch.stop)

    def report(self, median: float) -> Report:
        made = Provenance("2026-01-01T00:00:00+00:00", "0" * 40, False, "QEMU", "gcc 12", "gcc 12", "linux 6.1", [1], None, [])
        boots = [Boot("invar", "q35", [], 1000), Boot("linux", "q35", [], 9000)]
        return Report(made, column("stat", median), column("stat", 100), boots=boots, memory=Memory(8, [("a", 5), ("free", 3), ("total", 8)]))

    def test_a_rise_is_refused_until_it_has_its_line(self) -> None:
        accept(self.report(100))
        accept(self.report(90))
        kept = reference_read(reference_module.REFERENCE)
        self.assertEqual((kept.rows["stat"].median, kept.boot, kept.shell_used), (90, {"q35": 1000}, 5))
        with self.assertRaises(Failure) as caught:
            accept(self.report(99))
        self.assertIn("| 2026-01-01 | stat | 90 | 99 | why |", caught.exception.text)
        self.assertEqual(reference_read(reference_module.REFERENCE).rows["stat"].median, 90)
        reference_module.ACCEPTED.write_text("| 2026-01-01 | stat | 90 | 99 | the wall's price |\n")
        accept(self.report(99))
        self.assertEqual(reference_read(reference_module.REFERENCE).rows["stat"].median, 99)
        self.assertEqual(linux_read(reference_module.LINUX)["stat"].median, 100)

    def test_files_that_are_no_reference_are_refused(self) -> None:
        for text in ("", "[]", "{}", '{"schema": 9}', '{"schema": 1}', '{"schema": 1, "rows": {"stat": 3}}'):
            reference_module.REFERENCE.write_text(text)
            with self.subTest(text=text), self.assertRaises(Failure):
                reference_read(reference_module.REFERENCE)


class OptionsTest(unittest.TestCase):
    """The command line."""

    def test_options_are_read(self) -> None:
        options = options_read(["null_call", "--seeds", "3,1", "scored", "--jobs", "2", "--draw", "7"])
        self.assertEqual((options.wanted, options.seeds, options.jobs, options.draw), (["null_call", "scored"], (3, 1), 2, 7))

    def test_mistakes_are_one_line(self) -> None:
        for bad in (
            ["--seeds", ""],
            ["--seeds", "1,,2"],
            ["--seeds", "1,1"],
            ["--seeds", "-1"],
            ["--seeds"],
            ["--jobs", "0"],
            ["--jobs", "x"],
            ["--draw", "-3"],
            ["--nonsense"],
            ["--invar-only", "--linux-only"],
            ["--compare", "HEAD", "--accept"],
            ["--profile", "stat", "--linux-only"],
            ["--accept", "stat"],
            ["--accept", "--list"],
            ["--profile", "stat", "fstat"],
            ["--profile", "stat", "--draw", "3"],
            ["--profile", "stat", "--seeds", "1,2"],
            ["--compare", "HEAD", "--markdown", "README.md"],
        ):
            with self.subTest(bad=bad), self.assertRaises(Failure) as caught:
                options_read(bad)
            self.assertNotIn("\n", caught.exception.text)
