"""The page of `convoy compare --html`: well-formed, complete, without any reference to the outside, safe and legible."""
import json
import re
import unittest
import xml.etree.ElementTree as ElementTree

from crafted import CompareTest, mlperf_log, result, step_line, steps

SVG = "svg"
HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "</title></style>",
           "&lt;b&gt;", "{}", "]]>", "<!--", "\u202egpj.exe", "größe 大"]


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a, b):
    """Of WCAG 2.1."""
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class Page(CompareTest):
    def page(self, *arguments, code=None):
        self.compare(*arguments, "--html", "page.html", code=code)
        text = (self.folder / "page.html").read_text()
        root = ElementTree.fromstring(text)  # as strict as XML: whatever is open is closed, whatever is text is escaped
        self.harmless(text, root)
        return text, root

    def harmless(self, text, root):
        self.assertTrue(text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"))
        for node in root.iter():
            self.assertNotIn(node.tag, ("script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "a"))
            for name in node.attrib:
                self.assertFalse(name.startswith("on") or name in ("src", "href", "style", "srcset", "action"), name)
        style = root.find("head/style").text
        self.assertNotRegex(style, r"url\(|@import|expression|image-set|\\")
        self.assertNotRegex(re.sub(r"<code>.*?</code>", "", text), r"https?://")
        policy = next(m for m in root.iter("meta") if m.get("http-equiv") == "Content-Security-Policy").get("content")
        self.assertEqual(policy, "default-src 'none'; style-src 'unsafe-inline'")

    def accessible(self, root):
        self.assertTrue(root.find("head/title").text)
        self.assertEqual(len(list(root.iter("h1"))), 1)
        self.assertEqual(len(list(root.iter("main"))), 1)
        for table in root.iter("table"):
            self.assertTrue(table.find("caption").text)
            heads = list(table.iter("th"))
            self.assertTrue(heads and all(head.get("scope") in ("col", "row") for head in heads))
            columns = len(table.find("thead/tr"))
            self.assertTrue(all(len(row) == columns for row in table.iter("tr")))
        for drawing in root.iter(SVG):
            self.assertEqual((drawing.get("role"), drawing[0].tag), ("img", "title"))
        self.assertTrue(all(figure.find("figcaption/b").text for figure in root.iter("figure")))

    def figures(self, root):
        return {figure.find("figcaption/b").text: figure for figure in root.iter("figure")}

    def two_runs(self, **more):
        parts = {"total_s": 0.3, "data_wait_s": 0.01, "compute_s": 0.25, "communication_exposed_s": 0.03, "optimizer_s": 0.01}
        for name, median, seed in (("a", 0.30, 1), ("b", 0.33, 2)):
            document = result(name, steps(median=median, seed=seed), **more)
            for rank in document["launch"]["per_rank"]:
                rank["median_step"] = parts
            self.run_folder(name, document, [step_line(i, int((4.5 - 0.001 * i) * 32 * 2**24)) for i in range(600)])
        return self.page("a", "b", code=1)

    def test_charts_have_axes_units_and_captions(self):
        _, root = self.two_runs()
        self.accessible(root)
        figures = self.figures(root)
        self.assertEqual(list(figures), ["Training loss over samples seen", "Held-out top-1 over epochs", "Time of a step",
                                         "Where a step's time goes"])
        labels = {name: [t.text for t in figure.iter("text") if t.get("class") == "label"] for name, figure in figures.items()}
        self.assertEqual(list(labels.values()), [["loss (nats)", "training samples seen"], ["top-1 (%)", "epochs"],
                                                 ["seconds for 32 images"], ["seconds a step"]])
        for figure in figures.values():
            self.assertGreaterEqual(len([t for t in figure.iter("text") if re.fullmatch(r"[0-9.]+( [kM%])?", t.text)]), 4)
        times = [t.text for t in figures["Time of a step"].iter("text") if t.get("class", "").startswith("letter")]
        self.assertRegex(times[0], r"^A: 0\.3\d* s, median of 200 steps$")
        self.assertEqual(len(list(figures["Time of a step"].iter("path"))), 2)
        bars = [r for r in figures["Where a step's time goes"].iter("rect") if r.find("title") is not None]
        self.assertEqual([r.find("title").text for r in bars[:4]],
                         ["data: 0.01", "compute: 0.25", "exposed communication: 0.03", "optimizer: 0.01"])
        widths = [float(r.get("width")) for r in bars[:4]]
        self.assertAlmostEqual(widths[1] / widths[2], 0.25 / 0.03, delta=0.1)

    def test_the_loss_is_where_it_belongs(self):
        _, root = self.two_runs()
        figure = self.figures(root)["Training loss over samples seen"]
        line = [tuple(map(float, pair.split(","))) for pair in figure.find("svg/polyline").get("points").split()]
        ticks = {}
        for text in figure.iter("text"):
            if text.get("text-anchor") == "end":
                ticks[float(text.text)] = float(text.get("y")) - 4
        (low, low_y), (high, high_y) = min(ticks.items()), max(ticks.items())
        shown = low + (high - low) * (line[-1][1] - low_y) / (high_y - low_y)
        self.assertAlmostEqual(shown, 4.5 - 0.001 * 598, delta=0.01)  # the mean of the last three steps, 597 to 599

    def test_verdicts_come_first(self):
        text, root = self.two_runs()
        table = next(t for t in root.iter("table") if t.find("thead/tr")[0].text.startswith("Verdict"))
        first = table.find("tbody/tr")
        self.assertRegex("".join(first[0].itertext()), "▼ slower")
        self.assertEqual(first[1].text, "images/s, median step")
        banner = root.find("body/main/header")
        self.assertEqual(banner.get("class"), "banner bad")
        said = json.loads(self.compare("a", "b", "--json"))["verdict"]
        self.assertIn(said, "".join(banner.itertext()))
        self.assertLess(text.index("<h1>"), text.index("<table>"))

    def test_hostile_strings_stay_text(self):
        for i, text in enumerate(HOSTILE):
            document = result(text, recipe={"optimizer.kind": text}, hash_=f"h{i}", status=text)
            document["experiment"]["resolved"]["optimizer"][text] = text
            document["tool"]["version"] = text
            document["launch"]["per_rank"][0]["host"] = text
            document["schema"] = f"convoy.result/{text}"
            self.run_folder(f"hostile{i}", document)
        self.run_folder("plain", result("plain"))
        names = [f"hostile{i}" for i in range(len(HOSTILE))]
        _, root = self.page("plain", *names)
        self.accessible(root)
        seen = "\n".join(root.itertext())
        for text in HOSTILE:
            self.assertIn(text.replace("\u202e", "\ufffd"), seen)
        self.assertIsNone(root.find(".//img"))

    def test_hostile_file_names_stay_text(self):
        for name in ("<b>bold<b>", "a&b\"c'"):
            self.run_folder(name, result("same"))
        _, root = self.page("<b>bold<b>", "a&b\"c'", code=0)
        self.assertIsNone(root.find(".//b/b"))
        self.assertIn("<b>bold<b>/result.json", "".join(root.itertext()))

    def test_refused_foreign_and_many_runs(self):
        self.run_folder("a", result("a"))
        self.run_folder("other", result("other", recipe={"network.model": "alexnet"}, hash_="h2"))
        _, root = self.page("a", "other", code=2)
        self.accessible(root)
        self.assertIn("refused: they did not do the same task", "".join(root.find("body/main/header").itertext()))
        self.assertEqual(root.find("body/main/header").get("class"), "banner doubt")
        self.write("mlperf.txt", mlperf_log())
        _, root = self.page("a", "mlperf.txt", "--force")
        self.accessible(root)
        self.assertIn("from mlperf", "".join(root.itertext()))
        for seed in range(8):
            self.run_folder(f"seeds/{seed}", result(str(seed), steps(seed=seed), recipe={"train.seed": seed}, hash_=f"s{seed}"))
        _, root = self.page("seeds/*", code=0)  # eight sides: more than there are colours
        self.accessible(root)
        _, root = self.page("seeds", "a")
        self.accessible(root)
        self.assertIn("over 8 runs", "".join(root.itertext()))

    def test_text_and_marks_stand_out_in_both_schemes(self):
        _, root = self.two_runs()
        style = root.find("head/style").text
        schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{([^}]*)\}", style)]
        self.assertEqual(len(schemes), 3)  # light, dark, paper
        for scheme in schemes:
            self.assertEqual(len(scheme), 18)
            for ground in ("ground", "panel"):
                for ink in ("ink", "soft", "good", "bad", "doubt", *(f"s{i}" for i in range(6))):
                    self.assertGreaterEqual(contrast(scheme[ink], scheme[ground]), 4.5, f"{ink} on {ground}")
            for part in range(4):
                self.assertGreaterEqual(contrast(scheme[f"p{part}"], scheme["ground"]), 3, f"p{part}")

    def test_a_file_that_cannot_be_written(self):
        self.two_runs()
        self.refused(2, "a", "b", "--html", "no/such/folder/page.html", says="no/such/folder")


if __name__ == "__main__":
    unittest.main()
