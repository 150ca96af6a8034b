# SPDX-License-Identifier: Apache-2.0
"""What report.py makes of figures: goals and their verdicts, ratios, and the page that is in bench/results."""
import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import report

HERE = Path(__file__).parent


def row(row_id, systems, **more):
    return {"id": row_id, "name": row_id, "unit": "ns", "part": "latency", "systems": systems, **more}


def results(*rows, benchmarks=()):
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "mount.json").write_text(json.dumps({"machine": {}, "rounds": 3, "rows": rows}))
        if benchmarks:
            Path(directory, "model.json").write_text(json.dumps({"benchmarks": benchmarks}))
        return report.Results(directory)


def lines_of_check(found):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        failed = report.check(found)
    return failed, printed.getvalue().splitlines()


class Figures(unittest.TestCase):
    FOUND = results(row("read", {"mdevfs": {"median": 40.0, "spread": 1.0, "requests": 3.0,
                                            "ratio_to": {"sysfs": {"median": 4.0, "spread": 0.1}}},
                                 "sysfs": {"median": 10.0, "spread": 1.0}}),
                    row("ls_all", {"mdevfs": {"median": 2.0, "spread": 0.0}}, unit="us", count=1000.0))

    def test_each_kind(self):
        for figure, expected in {"median": 40.0, "requests": 3.0, "ratio_to sysfs": 4.0, "times_as_fast_as sysfs": 0.25,
                                 "per_second": 25e6, "ratio_to tmpfs": None}.items():
            self.assertEqual(self.FOUND.figure("read", None, "mdevfs", figure), expected, figure)
        self.assertEqual(self.FOUND.figure("ls_all", 1000, "mdevfs", "per_second"), 500_000)

    def test_what_was_not_measured(self):
        self.assertIsNone(self.FOUND.figure("ls_all", None, "mdevfs", "median"))
        self.assertIsNone(self.FOUND.figure("ls_all", 10, "mdevfs", "median"))
        self.assertIsNone(self.FOUND.figure("read", None, "null_fs", "median"))
        self.assertIsNone(self.FOUND.figure("write", None, "mdevfs", "median"))


class Model(unittest.TestCase):
    def test_each_is_beside_the_same_with_100_devices(self):
        runs = [{"name": f"create/vfio:0/live:{live}", "cpu_time": time, "time_unit": "us"}
                for live, times in {100: (1.0, 2.0, 4.0), 1000: (2.0, 3.0, 4.0)}.items() for time in times]
        found = results(benchmarks=runs)
        self.assertEqual(found.figure("model/create/vfio:0", 100, "mdevfs", "median"), 2000)
        self.assertEqual(found.figure("model/create/vfio:0", 1000, "mdevfs", "ratio_to at 100 live"), 1.5)
        self.assertIsNone(found.figure("model/create/vfio:0", 100, "mdevfs", "ratio_to at 100 live"))


class Goals(unittest.TestCase):
    NAME = "open+read+close of an attribute, -o cached"

    def check(self, ratio):
        systems = {"mdevfs -o cached": {"median": 1.0, "spread": 0.0,
                                        "ratio_to": {"sysfs": {"median": ratio, "spread": 0.0}}}}
        failed, lines = lines_of_check(results(row("read", systems)))
        return failed, next(line for line in lines if self.NAME in line)

    def test_verdicts(self):
        for ratio, expected in ((0.49, "PASS"), (0.5, "PASS"), (0.51, "FAIL")):
            failed, line = self.check(ratio)
            self.assertEqual(failed, expected == "FAIL", ratio)
            self.assertEqual(line, f"{expected:12}  {self.NAME}: {ratio}x (at most 0.5x)")

    def test_what_was_not_measured_has_not_failed(self):
        failed, lines = lines_of_check(results())
        self.assertFalse(failed)
        self.assertTrue(lines and all(line.startswith("not measured") for line in lines))


class Page(unittest.TestCase):
    def test_the_one_in_results_is_of_the_figures_there(self):
        found = report.Results(HERE / "results")
        self.assertEqual((HERE / "results/README.md").read_text(), "\n".join(report.page(found)).rstrip() + "\n")

    def test_every_goal_has_been_measured(self):
        missing = [name for verdict, name, *_ in report.verdicts(report.Results(HERE / "results"))
                   if verdict == "not measured"]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
