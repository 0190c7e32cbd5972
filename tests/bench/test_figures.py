# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""Statistics over seeds, ratios, the score, and what is made of them."""

import math
import tempfile
import unittest
import xml.dom.minidom
from pathlib import Path

from failure import Failure
from figures import Column, Series, geometric_mean, outputs_combine, ratio_of, ratios, spread_of
from lines import Output, Row, output_parse
from report import Provenance, Report, report_json
from report_markdown import BEGIN, END, markdown_write
from report_svg import report_svg
from report_table import report_text, table
from rows import SCORED_ROWS, rows_sorted


def row(name: str, median: float, unit: str = "op", **events: float) -> Row:
    """A row with a median."""
    return Row(name, unit, median, median, median, 11, 100, events)


def output(*rows: Row, none: tuple[str, ...] = (), broken: tuple[str, ...] = ()) -> Output:
    """An output with rows."""
    return Output(rows={one.name: one for one in rows}, none=dict.fromkeys(none, "not there"), broken=dict.fromkeys(broken, "wrong"))


def column(**medians: float) -> Column:
    """A column of one seed."""
    return outputs_combine([(1, output(*(row(name, median) for name, median in medians.items())))])


PROVENANCE = Provenance("2026-01-01T00:00:00+00:00", "0" * 40, False, "QEMU emulator version 7.2", "gcc 12", "gcc 12", "linux 6.1", [1, 2], None, [])


class FiguresTest(unittest.TestCase):
    """figures.py."""

    def test_median_and_spread_over_seeds(self) -> None:
        combined = outputs_combine([(seed, output(row("a", median))) for seed, median in ((1, 100.0), (2, 104.0), (3, 90.0), (4, 96.0))])
        self.assertEqual(combined.rows["a"].median, 98.0)
        self.assertAlmostEqual(combined.rows["a"].spread, 14 / 98)
        self.assertEqual(spread_of([5.0]), 0)
        self.assertEqual(spread_of([0.0, 0.0]), 0)

    def test_events_are_medians_and_lacking_ones_are_none(self) -> None:
        combined = outputs_combine([(1, output(row("a", 1, switches=2.0))), (2, output(row("a", 1, switches=4.0, flushes=1.0)))])
        self.assertEqual(combined.rows["a"].events, {"switches": 3.0, "flushes": 0.5})

    def test_machines_of_one_seed_join(self) -> None:
        combined = outputs_combine([(1, output(row("a", 1))), (1, output(row("b", 2), none=("c",)))])
        self.assertEqual((set(combined.rows), set(combined.none)), ({"a", "b"}, {"c"}))

    def test_a_row_of_some_seeds_only_is_broken(self) -> None:
        combined = outputs_combine([(1, output(row("a", 1))), (2, output(none=("a",)))])
        self.assertEqual((set(combined.rows), set(combined.none), set(combined.broken)), (set(), set(), {"a"}))

    def test_a_row_that_is_broken_once_is_broken(self) -> None:
        combined = outputs_combine([(1, output(row("a", 1))), (2, output(broken=("a",)))])
        self.assertEqual((set(combined.rows), combined.broken["a"]), (set(), "seed 2: wrong"))

    def test_ratios_are_of_rows_that_both_have(self) -> None:
        self.assertEqual(ratios(column(a=1, b=3), column(b=2, c=5), ["a", "b", "c"]), {"b": 1.5})
        self.assertEqual((ratio_of(0, 0), ratio_of(1, 0), ratio_of(0, 2)), (1.0, math.inf, 0.0))

    def test_the_geometric_mean(self) -> None:
        self.assertAlmostEqual(geometric_mean([0.5, 2.0]) or 0, 1.0)
        self.assertAlmostEqual(geometric_mean([0.1, 0.1, 0.8]) or 0, 0.2)
        for nothing in ([], [0.0, 1.0], [math.inf]):
            self.assertIsNone(geometric_mean(nothing))

    def test_rows_are_in_the_published_order_and_numbers_by_value(self) -> None:
        self.assertEqual(rows_sorted({"zeta_1000", "stat", "null_call", "zeta_10", "poll_100"}), ["null_call", "stat", "poll_100", "zeta_10", "zeta_1000"])
        self.assertEqual(len(SCORED_ROWS), len(set(SCORED_ROWS)))


class ReportTest(unittest.TestCase):
    """report*.py."""

    def report(self) -> Report:
        ours = outputs_combine([(1, output(row("null_call", 50, syscalls=1.0), row("stat", 300), row("poll_100", 8), none=("udp_rtt",)))])
        return Report(PROVENANCE, ours, column(null_call=100, stat=200, poll_100=4, udp_rtt=9), None, column(null_call=80, stat=200))

    def test_the_score_is_of_scored_rows(self) -> None:
        report = self.report()
        self.assertAlmostEqual(report.score() or 0, math.sqrt(0.5 * 1.5))
        self.assertIsNone(report.score_trimmed())  # two rows: nothing is left
        self.assertEqual(report.none_scored(), ["udp_rtt"])
        self.assertAlmostEqual(report.off_ratios()["null_call"], 50 / 80)

    def test_one_odd_row_does_not_carry_the_score(self) -> None:
        report = self.report()
        report.invar = outputs_combine([(1, output(row("null_call", 1), row("stat", 90), row("fstat", 50), row("read_zero_1", 80)))])
        report.linux = column(null_call=100, stat=100, fstat=100, read_zero_1=100)
        mean, low, high = report.score_trimmed() or (0, "", "")
        self.assertEqual((low, high), ("null_call", "stat"))
        self.assertAlmostEqual(mean, math.sqrt(0.5 * 0.8))

    def test_json_has_what_the_tables_have(self) -> None:
        data = report_json(self.report())
        self.assertEqual(data["score"]["above_one"], ["stat"])  # type: ignore[index]
        self.assertEqual(data["invar"]["rows"]["null_call"]["seeds"]["1"]["median"], 50)  # type: ignore[index]
        self.assertEqual(data["provenance"]["linux"], "linux 6.1")  # type: ignore[index]
        self.assertEqual(data["invar"]["none"], {"udp_rtt": "not there"})  # type: ignore[index]

    def test_the_text_marks_rows_above_one(self) -> None:
        lines = {words[0]: words for words in (line.split() for line in report_text(self.report()).splitlines()) if words}
        self.assertIn("above", lines["stat"])
        self.assertNotIn("above", lines["null_call"])
        self.assertIn("none", lines["udp_rtt"])

    def test_the_picture_is_well_formed(self) -> None:
        picture = xml.dom.minidom.parseString(report_svg(self.report()))
        self.assertEqual(len(picture.getElementsByTagName("rect")), 3)
        xml.dom.minidom.parseString(report_svg(Report(PROVENANCE)))

    def test_the_page_keeps_what_is_outside_its_marks(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
            markdown_write(self.report(), page)
            once = page.read_text()
            markdown_write(self.report(), page)
            self.assertEqual(page.read_text(), once)
            self.assertTrue(once.startswith(f"before\n{BEGIN}\n| row |") and once.endswith(f"\n{END}\nafter\n"))
            self.assertIn("| `null_call` | 50.00 | 100.0 | 0.50 |", once)
            self.assertIn("`stat` | 300.0 | 200.0 | **1.50** |", once)
            page.write_text("no marks\n")
            with self.assertRaises(Failure):
                markdown_write(self.report(), page)

    def test_columns_line_up(self) -> None:
        self.assertEqual(table([["a", "b"], ["long", "1"], ["x", "22"]]), "a      b\nlong   1\nx     22")

    def test_a_report_of_one_kernel_has_no_ratio(self) -> None:
        text = report_text(Report(PROVENANCE, column(null_call=50)))
        self.assertIn("== scored\nrow          Invar  spread\nnull_call    50.00    0.0%", text)
        self.assertNotIn("== score\n", text)

    def test_what_the_program_prints_becomes_a_series(self) -> None:
        text = "env a b\nrow stat op 5.00 4.00 6.00 batches=3 ops=9\nend 1 0 0\n"
        series: Series = outputs_combine([(1, output_parse(text)), (2, output_parse(text))]).rows["stat"]
        self.assertEqual((series.median, series.spread, sorted(series.seeds)), (5.0, 0.0, [1, 2]))
