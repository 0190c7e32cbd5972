# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The program's output is read as a whole or not at all."""

import unittest

from boot import boot_parse
from failure import Failure
from lines import Malformed, named_numbers, output_parse
from memory import owners_parse, used_of

GOOD = """SeaBIOS says something
[    0.000001] clock: found
env release 6.1.0
env version #1 SMP Invar
env mitigation spectre_v2 Mitigation: Retpolines; STIBP: disabled
file /proc/invar/boot
| stage entry 100
| stage first_user_instruction 300
row null_call op 156.00 155.50 160.25 batches=11 ops=2000 syscalls=1.00 tlb_flush_local=0.25
none udp_rtt socket of UDP: Function not implemented
broken stat fstat says 3: Success
row timer_fifo_late late 0.00 0.00 4.00 batches=5 ops=10
end 2 1 1
[    5.000000] reboot: Power down
"""
ROW = "row null_call op 156.00 155.50 160.25 batches=11 ops=2000 syscalls=1.00 tlb_flush_local=0.25"


class LinesTest(unittest.TestCase):
    """output_parse()."""

    def malformed(self, text: str, says: str) -> None:
        with self.assertRaises(Malformed) as caught:
            output_parse(text)
        self.assertIn(says, str(caught.exception))

    def test_a_good_output_is_read(self) -> None:
        output = output_parse(GOOD.replace("\n", "\r\n"))
        row = output.rows["null_call"]
        self.assertEqual((row.unit, row.median, row.minimum, row.maximum, row.batches, row.operations), ("op", 156.0, 155.5, 160.25, 11, 2000))
        self.assertEqual(row.events, {"syscalls": 1.0, "tlb_flush_local": 0.25})
        self.assertEqual(output.none, {"udp_rtt": "socket of UDP: Function not implemented"})
        self.assertEqual(output.broken, {"stat": "fstat says 3: Success"})
        self.assertEqual(output.environment["version"], "#1 SMP Invar")
        self.assertEqual(output.mitigations["spectre_v2"], "Mitigation: Retpolines; STIBP: disabled")
        self.assertEqual(output.files["/proc/invar/boot"], ["stage entry 100", "stage first_user_instruction 300"])
        self.assertEqual(output.verdicts(), {"null_call", "udp_rtt", "stat", "timer_fifo_late"})

    def test_kernel_lines_among_rows_are_kept_apart(self) -> None:
        line = "[    1.234567] random: crng init done"
        self.assertEqual(output_parse(GOOD.replace("none udp", line + "\nnone udp")).kernel, [line])

    def test_nothing_is_refused(self) -> None:
        self.malformed("", "printed nothing")
        self.malformed("SeaBIOS\n[    0.1] x\nbench: no such row: foo\n", "no such row")

    def test_an_output_without_its_end_is_refused(self) -> None:
        self.malformed(GOOD[: GOOD.index("end 2")], "crashed")
        self.malformed(GOOD[: GOOD.index("end 2") + 5], "not whole")

    def test_every_truncation_is_refused(self) -> None:
        end = GOOD.index("end 2 1 1") + len("end 2 1 1")
        for length in range(end):
            with self.subTest(length=length), self.assertRaises(Malformed):
                output_parse(GOOD[:length])

    def test_a_lost_line_is_refused(self) -> None:
        lines = GOOD.splitlines()
        for i, line in enumerate(lines):
            if line.split()[0] in ("row", "none", "broken", "end", "file"):
                with self.subTest(line=line), self.assertRaises(Malformed):
                    output_parse("\n".join(lines[:i] + lines[i + 1 :]))

    def test_an_unknown_line_is_refused(self) -> None:
        self.malformed(GOOD.replace(ROW, ROW + "\nhello"), "is not the program's")
        self.malformed(GOOD.replace(ROW, "x" + ROW), "is not the program's")
        self.malformed(GOOD.replace(ROW, ROW + "[    1.0] late"), "is not whole")

    def test_rows_that_are_not_whole_are_refused(self) -> None:
        for bad in (
            ROW.replace("156.00", "156"),
            ROW.replace("156.00", "156.0"),
            ROW.replace("156.00", "-156.00"),
            ROW.replace("156.00", "nan"),
            ROW.replace("156.00", "150.00"),
            ROW.replace("160.25", "155.00"),
            ROW.replace(" op ", " ops "),
            ROW.replace(" batches=11", ""),
            ROW.replace("ops=2000", "ops=0"),
            ROW.replace("batches=11", "batches=0"),
            ROW.replace("null_call", "Null-call"),
            ROW + " syscalls",
            ROW + " more=",
            ROW.replace(" ops", "  ops"),
        ):
            with self.subTest(bad=bad):
                self.malformed(GOOD.replace(ROW, bad), "not whole")

    def test_a_second_verdict_about_a_row_is_refused(self) -> None:
        self.malformed(GOOD.replace(ROW, ROW + "\n" + ROW), "not whole")
        self.malformed(GOOD.replace(ROW, ROW + "\nnone null_call x"), "not whole")

    def test_counts_that_disagree_are_refused(self) -> None:
        self.malformed(GOOD.replace("end 2 1 1", "end 3 1 1"), "counts")

    def test_lines_behind_the_end_are_refused(self) -> None:
        self.malformed(GOOD + ROW + "\n", "behind 'end'")
        self.malformed(GOOD + "Kernel panic - not syncing\n", "crashed")

    def test_parallel_lines_are_read(self) -> None:
        output = output_parse("env a b\nparallel null_call processors=4 ops=4000\nend 1 0 0\n")
        self.assertEqual(output.parallel["null_call"].operations, 4000)
        self.malformed("env a b\nparallel null_call processors=4 ops=0\nend 0 0 0\n", "not whole")

    def test_names_and_numbers(self) -> None:
        self.assertEqual(named_numbers(["stage a 1", "stage b 22"], "stage"), [("a", 1), ("b", 22)])
        for bad in (["a"], ["a b"], ["a -1"], ["a 1 2"], ["stagea 1"]):
            with self.subTest(bad=bad), self.assertRaises(Malformed):
                named_numbers(bad, "stage" if bad[0].startswith("stage") else "")


class FilesTest(unittest.TestCase):
    """The files of the kernel."""

    def test_a_boot_is_read(self) -> None:
        text = "noise\r\nfirst_user_instruction 1010\r\n| stage entry 400\r\n| stage first_user_instruction 1000\r\nend\r\n"
        self.assertEqual(boot_parse(text), (1010, [("entry", 400), ("first_user_instruction", 1000)]))
        self.assertEqual(boot_parse("first_user_instruction 5\nend\n"), (5, []))

    def test_a_boot_that_is_not_whole_is_refused(self) -> None:
        for bad in (
            "",
            "first_user_instruction 5\n",
            "end\n",
            "first_user_instruction 1010\n| stage entry 1000\n| stage first_user_instruction 400\nend\n",
            "first_user_instruction 1010\n| stage entry 400\nend\n",
            "first_user_instruction 1010\n| stage first_user_instruction 2000\nend\n",
            "first_user_instruction 9999999\n| stage first_user_instruction 10\nend\n",
            "first_user_instruction 1010\n| stag entry 400\nend\n",
        ):
            with self.subTest(bad=bad), self.assertRaises(Malformed):
                boot_parse(bad)

    def test_owners_are_the_total(self) -> None:
        self.assertEqual(owners_parse(["| a 3", "| b 4", "| total 7"]), [("a", 3), ("b", 4), ("total", 7)])
        parts = owners_parse(["| a 3", "| free 4", "| total 7", "| a.b 2"])
        self.assertEqual((len(parts), used_of(parts)), (4, 3))
        self.assertEqual(owners_parse([]), [])
        for bad in (["| a 3", "| total 4"], ["| a 3"], ["a 3"], ["| a x"]):
            with self.subTest(bad=bad), self.assertRaises(Failure):
                owners_parse(bad)
