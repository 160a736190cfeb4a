"""convoy predict: the classes of evaluation, for one image or many, some of them broken."""
import json
import unittest

from convoy_cli import ConvoyTest, convoy


class Predict(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "run", "--set", "train.epochs=6", "--quiet")
        cls.images = sorted((cls.folder / "images/val").rglob("*.JPEG"))

    def predict(self, *arguments, code=0):
        got, out, err = convoy("predict", *arguments, "--threads", 1)
        self.assertEqual(got, code, err)
        return out, err

    def test_as_many_are_right_as_evaluation_counts(self):
        out, _ = self.predict(*self.images, "--run", self.folder / "run", "--json")
        answers = json.loads(out)["images"]
        self.assertEqual(len(answers), 18)
        right = sum(answer["top"][0]["wnid"] in answer["image"].split("/") for answer in answers)
        code, counts, _ = convoy("evaluate", self.folder / "run", "--threads", 1, "--json")
        self.assertEqual((code, json.loads(counts)["correct1"]), (0, right))
        for answer in answers:
            confidence = [guess["confidence"] for guess in answer["top"]]
            self.assertEqual(confidence, sorted(confidence, reverse=True))
            self.assertAlmostEqual(sum(confidence), 1, 6)  # three classes, all of them named

    def test_a_weights_file_answers_as_its_run(self):
        file = self.folder / "weights.safetensors"
        self.must("export", self.folder / "run", "--out", file)
        run, _ = self.predict(*self.images, "--run", self.folder / "run")
        again, _ = self.predict(*self.images, "--weights", file)
        self.assertEqual(run, again)
        one, _ = self.predict(self.images[7], "--weights", file, "--top", 1)
        self.assertTrue(run.splitlines()[7].startswith(one.strip().split(" %")[0]), one)

    def test_broken_images_are_said_and_the_others_answered(self):
        broken = self.folder / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
        images = [self.images[0], broken, self.folder / "none.jpg", self.folder, self.images[1]]
        out, err = self.predict(*images, "--run", self.folder / "run", code=1)
        self.assertEqual([line.split(":")[0] for line in out.splitlines()], [str(self.images[0]), str(self.images[1])])
        said = [line for line in err.splitlines() if line.startswith("convoy:")]
        self.assertEqual(len(said), 3, err)
        for line, image in zip(said, images[1:4]):
            self.assertIn(str(image), line)
        out, _ = self.predict(*images, "--run", self.folder / "run", "--json", code=1)
        self.assertEqual(["error" in answer for answer in json.loads(out)["images"]], [False, True, True, True, False])

    def test_a_run_without_its_table_of_classes(self):
        (self.folder / "run/classes.json").rename(self.folder / "classes.json")
        self.addCleanup((self.folder / "classes.json").rename, self.folder / "run/classes.json")
        out, _ = self.predict(self.images[0], "--run", self.folder / "run", "--top", 1)
        self.assertRegex(out, r": class [012] \d+\.\d\d %\n")
        named, _ = self.predict(self.images[0], "--run", self.folder / "run", "--top", 1, "--classes", self.folder / "set/val")
        self.assertNotIn("class ", named)

    def test_usage(self):
        self.refused(64, "predict", self.images[0], says="--run RUN or --weights FILE")
        self.refused(64, "predict", "--run", self.folder / "run", says="image")
        self.refused(1, "predict", self.images[0], "--run", self.folder / "set", says="holds no run")


if __name__ == "__main__":
    unittest.main()
