# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
"""The profiler: the plugin's decoder, symbols, stacks, the flame graph, figures of several processors; and, in a machine, that its counts are right."""

import ctypes
import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

from archive import archive_of
from failure import Failure
from flame import flame_svg
from guest import entry_name, invar_ranges, linux_ranges, map_write
from kernels import FOLDER, RELEASE, ROOT
from lines import Row
from machine import Boots, Machine
from observe import Window, observe, plugin_build, windows_parse
from processors import figures_combine, figures_of
from profile import Profile, check_line, functions_table
from stacks import ENTRY, KERNEL, USER, folded_text, stacks_fold, sums_by_function
from symbols import Function, Symbols, symbols_of_elf, symbols_of_kallsyms

TESTS = Path(__file__).resolve().parent
PLUGIN = ROOT / "tools/bench/plugin"
INVAR = Path(os.environ.get("INVAR_BENCH_KERNEL") or RELEASE / "invar.elf")

STUBS = 0xFFFFFFFF80001000
KERNEL_SYMBOLS = Symbols(
    [
        Function("entry_stubs", STUBS, STUBS + 4096),
        Function("entry_syscall", 0xFFFFFFFF80003000, 0xFFFFFFFF80003100),
        Function("aspace_fault", 0xFFFFFFFF80004000, 0xFFFFFFFF80004100),
        Function("page_alloc", 0xFFFFFFFF80004100, 0xFFFFFFFF80004200),
    ]
)
USER_SYMBOLS = Symbols([Function("main", 0x401000, 0x401100), Function("touch", 0x401100, 0x401200)])


class _Instruction(ctypes.Structure):
    """struct instruction of tools/bench/plugin/decode.h."""

    _fields_ = [("events", ctypes.c_uint32), ("stack", ctypes.c_int), ("mark", ctypes.c_int)] + [
        (name, ctypes.c_uint8) for name in ("pause", "hlt", "iret", "sysret", "rdtsc", "rep_copy", "rep_fill", "store32")
    ]


class DecodeTest(unittest.TestCase):
    """decode.c, with bytes as an assembler gives them."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        library = Path(cls.folder.name) / "decode.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(PLUGIN / "decode.c")], check=True)
        loaded = ctypes.CDLL(str(library))
        cls.names = [name.decode() for name in (ctypes.c_char_p * 19).in_dll(loaded, "event_names")]
        cls.function = loaded.decode
        cls.function.restype = _Instruction

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def decode(self, text: str) -> _Instruction:
        data = bytes.fromhex(text)
        return self.function(data, ctypes.c_size_t(len(data)))

    def events(self, text: str) -> set[str]:
        events = self.decode(text).events
        return {name for bit, name in enumerate(self.names) if events >> bit & 1}

    def test_events(self) -> None:
        for text, event in (
            ("0f22d8", "cr3_write"),
            ("0f0138", "invlpg"),
            ("66 0f 38 82 08", "invpcid"),
            ("0f30", "wrmsr"),
            ("f4", "hlt"),
            ("0f05", "syscall"),
            ("480f07", "sysret"),
            ("48cf", "iret"),
            ("0f01f8", "swapgs"),
            ("f0480fb10b", "atomic"),
            ("8703", "atomic"),
            ("480fae07", "fpu_save"),
            ("480fc72f", "fpu_save"),
            ("480fae0f", "fpu_load"),
            ("ec", "port"),
            ("0fa2", "cpuid"),
        ):
            self.assertEqual(self.events(text), {event}, text)

    def test_what_is_no_event(self) -> None:
        for text in ("0f22e0", "0f22c0", "0f01d0", "0faef0", "87c3", "90", "4889d8", "0f0108"):  # cr4, cr0, xgetbv, mfence, xchg of registers, ..., sidt
            self.assertEqual(self.events(text), set(), text)

    def test_marks_need_their_number(self) -> None:
        self.assertEqual(self.decode("0f1f840001004d1b").mark, 1)
        self.assertEqual(self.decode("0f1f840002004d1b").mark, 2)
        for text in ("0f1f840003004d1b", "0f1f840000000000", "0f1f4000", "660f1f840000000000"):
            self.assertEqual(self.decode(text).mark, 0, text)

    def test_the_stack(self) -> None:
        for text, use in (("e800000000", 1), ("ff5008", 1), ("41ffd4", 1), ("c3", 2), ("f3c3", 2), ("55", 3), ("4154", 3), ("6aff", 3), ("5d", 4), ("415c", 4), ("ff20", 0), ("eb00", 0)):
            self.assertEqual(self.decode(text).stack, use, text)

    def test_kinds(self) -> None:
        self.assertTrue(self.decode("f390").pause)
        self.assertFalse(self.decode("90").pause)
        self.assertTrue(self.decode("0f31").rdtsc)
        self.assertTrue(self.decode("f348a5").rep_copy)
        self.assertTrue(self.decode("f348ab").rep_fill)
        self.assertFalse(self.decode("48a5").rep_copy)
        self.assertTrue(self.decode("890500000000").store32)
        self.assertFalse(self.decode("48890500000000").store32)
        self.assertFalse(self.decode("89c3").store32)


class SymbolsTest(unittest.TestCase):
    """symbols.py and guest.py."""

    def test_functions_have_ends(self) -> None:
        self.assertEqual(USER_SYMBOLS.name(0x401100), "touch")
        self.assertEqual(USER_SYMBOLS.name(0x4010FF), "main")
        self.assertEqual(USER_SYMBOLS.name(0x401200), "0x401200")
        self.assertIsNone(USER_SYMBOLS.find(0))

    def test_of_an_elf_file(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            source, program = Path(name) / "p.c", Path(name) / "p"
            source.write_text("int twice(int x) { return 2 * x; }\nint main(void) { return twice(0); }\n")
            subprocess.run(["gcc", "-O0", "-no-pie", "-o", str(program), str(source)], check=True)
            symbols = symbols_of_elf(program)
            (main,) = symbols.named("main")
            self.assertEqual(symbols.name(main.end - 1), "main")
            self.assertEqual(symbols.name(main.start - 1), "twice")
            subprocess.run(["strip", str(program)], check=True)
            with self.assertRaises(Failure):
                symbols_of_elf(program)
            with self.assertRaises(Failure):
                symbols_of_elf(source)

    def test_of_kallsyms_without_a_kernel_s_data_and_with_parts_joined(self) -> None:
        symbols = symbols_of_kallsyms("ffffffff81000000 T do_idle\nffffffff81000010 t do_idle.cold\nffffffff81000020 d data\nffffffff81000030 T next\n")
        self.assertEqual([function.name for function in symbols.functions], ["do_idle", "do_idle", "next"])
        self.assertEqual(symbols.name(0xFFFFFFFF81000028), "do_idle")

    def test_maps(self) -> None:
        ranges = invar_ranges(KERNEL_SYMBOLS)
        self.assertEqual(ranges, [(STUBS, STUBS + 512, "exception"), (STUBS + 512, STUBS + 4096, "interrupt")])
        text = "10 asm_exc_page_fault\n20 asm_exc_nmi\n30 asm_sysvec_reschedule_ipi\n40 do_idle\n50 do_idler\n60 ret_from_fork\n70 end\n"
        kinds = {start: kind for start, _, kind in linux_ranges(symbols_of_kallsyms(text))}
        self.assertEqual(kinds, {0x10: "exception", 0x20: "interrupt", 0x30: "interrupt", 0x40: "idle", 0x60: "thread"})
        with tempfile.TemporaryDirectory() as name:
            map_write(Path(name) / "map", [(32, 48, "idle"), (16, 17, "thread")])
            self.assertEqual((Path(name) / "map").read_text(), "10 11 thread\n20 30 idle\n")

    def test_names_of_entries(self) -> None:
        names = [entry_name(KERNEL_SYMBOLS, address) for address in (STUBS + 14 * 16, STUBS + 0x30 * 16, STUBS + 0xF0 * 16, 0xFFFFFFFF80003000)]
        self.assertEqual(names, ["page fault", "interrupt 0x30", "timer interrupt", "system call"])


STACKS = f"""\
30 user;c401010;b401110
10 user;b401020
50 e{STUBS + 14 * 16:x};cffffffff80001005;cffffffff80004010;bffffffff80004110
5 e{STUBS + 14 * 16:x};cffffffff80001005;cffffffff80004010;bffffffff80004120
5 bffffffff80004120
-3 user;b401020
"""


class StacksTest(unittest.TestCase):
    """stacks.py and what profile.py makes of it."""

    def setUp(self) -> None:
        self.folded = stacks_fold(STACKS, KERNEL_SYMBOLS, USER_SYMBOLS)

    def test_folding_joins_equal_names_and_names_entries(self) -> None:
        fault = ((ENTRY, "page fault"), (KERNEL, "entry_stubs"), (KERNEL, "aspace_fault"), (KERNEL, "page_alloc"))
        self.assertEqual(self.folded[fault], 55)
        self.assertEqual(self.folded[((ENTRY, "user"), (USER, "main"), (USER, "touch"))], 30)
        self.assertEqual(self.folded[((ENTRY, "user"), (USER, "main"))], 7)
        self.assertEqual(self.folded[((ENTRY, "unknown"), (KERNEL, "page_alloc"))], 5)
        self.assertEqual(sum(self.folded.values()), 97)

    def test_a_call_at_a_function_s_end_belongs_to_it(self) -> None:
        folded = stacks_fold("1 user;c401100;b401180\n", KERNEL_SYMBOLS, USER_SYMBOLS)
        self.assertEqual(list(folded), [((ENTRY, "user"), (USER, "main"), (USER, "touch"))])

    def test_sums(self) -> None:
        sums = sums_by_function(self.folded)
        self.assertEqual((sums[(KERNEL, "page_alloc")].own, sums[(KERNEL, "page_alloc")].inclusive), (60, 60))
        self.assertEqual((sums[(KERNEL, "aspace_fault")].own, sums[(KERNEL, "aspace_fault")].inclusive), (0, 55))
        self.assertEqual((sums[(USER, "main")].own, sums[(USER, "main")].inclusive), (7, 37))
        recursive = sums_by_function({((ENTRY, "user"), (USER, "a"), (USER, "b"), (USER, "a")): 4})
        self.assertEqual((recursive[(USER, "a")].own, recursive[(USER, "a")].inclusive), (4, 4))

    def test_text_for_other_tools(self) -> None:
        self.assertIn("[user];main;touch 30\n", folded_text(self.folded))

    def test_strange_frames_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            stacks_fold("1 x12\n", KERNEL_SYMBOLS, USER_SYMBOLS)

    def profile(self, median: float) -> Profile:
        row = Row("a", "op", median, median, median, 1, 10, {})
        return Profile(row, Window(2, [97], {0: {"user": 37, "kernel": 60}}), self.folded, True)

    def test_the_table_and_its_check(self) -> None:
        profile = self.profile(9.7)
        table = functions_table(profile)
        self.assertRegex(table, r"6\.0 +61\.9 +6\.0 +61\.9 +kernel +page_alloc")
        self.assertIn("agree (+0.00 %)", check_line(profile))
        self.assertIn("differ (-3.00 %)", check_line(self.profile(10.0)))

    def test_the_median_is_that_of_batches_and_not_of_readings(self) -> None:
        row = Row("a", "op", 1, 1, 1, 3, 2, {})
        profile = Profile(row, Window(12, [1, 9, 3, 3, 50, 50], {}), {((ENTRY, "user"),): 116}, True)
        self.assertEqual(profile.median(), 5.0)


class FlameTest(unittest.TestCase):
    """flame.py."""

    def test_rectangles_stand_above_each_other_in_proportion(self) -> None:
        folded = {((ENTRY, "user"), (USER, "a<b>")): 30, ((ENTRY, "page fault"), (KERNEL, "f"), (KERNEL, "g")): 60, ((ENTRY, "page fault"), (KERNEL, "f")): 10}
        svg = flame_svg(folded, 10, "a & b", "sub")
        root = xml.etree.ElementTree.fromstring(svg)
        space = {"s": "http://www.w3.org/2000/svg"}
        found = {}
        for group in root.findall("s:g", space):
            title, rect = group.find("s:title", space), group.find("s:rect", space)
            assert title is not None and rect is not None and title.text
            found[title.text.split(" (")[0]] = (float(rect.get("x", "")), int(rect.get("y", "")), float(rect.get("width", "")), title.text)
        self.assertEqual(set(found), {"[all]", "[user]", "a<b>", "[page fault]", "f", "g"})
        self.assertAlmostEqual(found["g"][2] / found["[all]"][2], 0.6, delta=0.01)
        self.assertLess(found["g"][1], found["f"][1])
        self.assertEqual(found["g"][0], found["f"][0])
        self.assertIn("7.0 instructions an operation, 70.0 %; its own 1.0", found["f"][3])
        self.assertNotIn("<script", svg)

    def test_nothing_is_drawn_of_nothing(self) -> None:
        xml.etree.ElementTree.fromstring(flame_svg({}, 1, "t", "s"))


class WindowsTest(unittest.TestCase):
    """observe.py and processors.py."""

    TEXT = "window 0 readings=2 stretches=100,7\ncpu 0 user=10 kernel=90 spin=0 idle=0 icr_write=2\ncpu 3 user=1 kernel=2 spin=4 idle=300\n"

    def test_figures_are_read(self) -> None:
        (window,) = windows_parse(self.TEXT)
        self.assertEqual((window.readings, window.stretches, window.total("user"), window.total("idle"), window.total("cr3_write")), (2, [100, 7], 11, 300, 0))
        self.assertEqual(window.instructions(), 407)
        with self.assertRaises(ValueError):
            windows_parse("cpu 0 user=1\n")

    def test_figures_by_operation_with_spread(self) -> None:
        (window,) = windows_parse(self.TEXT)
        figures = figures_of(window, 10)
        self.assertEqual((figures["busy"], figures["idle"], figures["spin"], figures["icr_write"]), (10.3, 30.0, 0.4, 0.2))
        combined = figures_combine([{"busy": 10.0, "idle": 1.0}, {"busy": 12.0, "idle": 9.0}, {"busy": 11.0, "idle": 2.0}])
        self.assertEqual((combined["busy"], combined["idle"]), (11.0, 2.0))
        self.assertAlmostEqual(combined["busy spread"], 2 / 11)


@unittest.skipUnless(INVAR.exists(), "the kernel is not built")
class MachineTest(unittest.TestCase):
    """The plugin in a machine: what it counts between the marks is what the machine's own clock says, in deterministic time."""

    def test_counts_are_those_of_the_time_stamp_counter(self) -> None:
        folder = FOLDER / "probe"
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["musl-gcc", "-O2", "-static", "-s", "-o", str(folder / "probe"), str(TESTS / "probe.c")], check=True)
        archive = folder / "probe.cpio"
        archive.write_bytes(archive_of([("probe", (folder / "probe").read_bytes(), 0o755)]))
        guest_map = folder / "map"
        map_write(guest_map, invar_ranges(symbols_of_elf(INVAR)))
        machine = Machine("probe", INVAR, archive, "console=ttyS0 panic=-1 quiet init=/probe", limit=120)
        text, windows = observe(Boots(folder, 1, True), machine, plugin_build(folder), guest_map, folder / "out")
        ticks = [(line.split()[1], int(line.split()[2])) for line in text.splitlines() if line.startswith("probe ")]
        self.assertEqual([name for name, _ in ticks], ["calls", "faults", "forks", "trips"])
        self.assertEqual(len(windows), len(ticks))
        for (name, counted_by_guest), window in zip(ticks, windows):
            self.assertAlmostEqual(window.instructions() / counted_by_guest, 1, delta=0.001, msg=f"{name}: {window.instructions()} and {counted_by_guest}")
        self.assertEqual(windows[0].total("syscall"), 20000)
        self.assertEqual(windows[1].total("exception"), 256)
        self.assertGreaterEqual(windows[3].total("cr3_write"), 1000)


if __name__ == "__main__":
    unittest.main()
