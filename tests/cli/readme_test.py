"""README.md's page of exit codes, signals and recovery: every line names the tests that show it, and they are there."""
import re
import unittest

from convoy_cli import ROOT

HEADING = "## Exit codes, signals, recovery"


def section():
    text = (ROOT / "README.md").read_text()
    return text[text.index(HEADING):].split("\n## ", 1)[0]


def rows(text):
    """The cells of every table's lines, without headings."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|---"):
            found.pop()  # what stands above is the heading
        elif line.startswith("|"):
            found.append(cells)
    return found


def cases(path):
    """The names of a test file's cases."""
    text = path.read_text()
    if path.suffix == ".py":
        return re.findall(r"(?m)^    def test_(\w+)", text)
    if path.suffix == ".cpp":
        return re.findall(r'TEST_CASE\(\s*"([^"]*)"', text)
    return re.findall(r'(?m)^\s*verdict "([^"]*)"', text)  # tests/*/run.sh


def complaints(cells):
    """What is wrong with the last of a line's cells."""
    if len(cells) != 3:
        return [f"{cells[0]}: {len(cells)} cells, not 3"]
    named = re.findall(r"`([^`]+)` ([^`;]+)", cells[2])
    wrong = [] if named and "; ".join(f"`{file}` {what}" for file, what in named) == cells[2] else [f"{cells[0]}: {cells[2]}"]
    for file, what in named:
        path = ROOT / "tests" / file
        known = cases(path) if path.is_file() else []
        for case in re.findall(r'"([^"]+)"|(\w+)', what):
            begins = [name for name in known if name.startswith(case[0] or case[1])]
            if not begins:
                wrong.append(f"{cells[0]}: no case of tests/{file} begins with {case[0] or case[1]}")
    return wrong


class Readme(unittest.TestCase):
    def test_every_line_has_a_test_that_is_there(self):
        lines = rows(section())
        self.assertEqual([cells[0] for cells in lines[:6]], ["0", "1", "2", "64", "75", "85"])
        self.assertGreaterEqual(len(lines), 16)
        self.assertEqual([wrong for cells in lines for wrong in complaints(cells)], [])

    def test_the_codes_are_those_of_the_program(self):
        declared = re.search(r"enum class Exit \{(.*?)\};", (ROOT / "src/base/error.h").read_text(), re.DOTALL)[1]
        self.assertEqual(re.findall(r"\w+ = (\d+),", declared), [cells[0] for cells in rows(section())[:6]])

    def test_a_wrong_name_is_noticed(self):
        sound = "`cli/readme_test.py` a_wrong; `train/run.sh` \"killed in every step\""
        self.assertEqual(complaints(["line", "what", sound]), [])
        for spoilt in ("", "soon", "`cli/readme_test.py`", "`cli/no_test.py` a_wrong", "`cli/readme_test.py` a_wrong, right_name",
                       "`train/run.sh` \"killed in no step\"", "`train/loop_test.cpp` \"no such case\""):
            self.assertNotEqual(complaints(["line", "what", spoilt]), [], spoilt)
        self.assertNotEqual(complaints(["line", "what"]), [])


if __name__ == "__main__":
    unittest.main()
