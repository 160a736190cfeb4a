"""A run from images to compared results."""
import json
import shutil
import signal
import time
import unittest

from convoy_cli import ConvoyTest, convoy


class Run(ConvoyTest):
    endless = ["--set", "train.epochs=1000000", "--set", "train.evaluate_every=0", "--checkpoint-epochs", 0]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "whole", "--checkpoint-steps", 1, "--quiet")

    def test_the_run_folder_holds_what_it_promises(self):
        names = {path.name for path in (self.folder / "whole").iterdir()}
        for name in ("config.resolved.toml", "env.json", "log.txt", "metrics.jsonl", "result.json", "curve.svg", "checkpoints"):
            self.assertIn(name, names)
        steps = [json.loads(line) for line in (self.folder / "whole/metrics.jsonl").read_text().splitlines()]
        self.assertEqual([s["step"] for s in steps if s["event"] == "step"], list(range(6)))  # 48 images x 2 / 16
        result = self.result("whole")
        self.assertEqual((result["schema"], result["status"], result["exit_code"]), ("convoy.result/1", "completed", 0))
        self.assertEqual(result["epochs"][-1]["held_out_images"], 18)

    def test_evaluate_repeats_the_run_s_counts(self):
        out = json.loads(self.must("evaluate", self.folder / "whole", "--threads", 1, "--json").split("\n}")[0] + "}")
        last = self.result("whole")["epochs"][-1]
        self.assertEqual((out["images"], out["correct1"]), (18, last["correct1"]))
        for ranks in (2, 3):
            again = self.must("evaluate", self.folder / "whole", "--threads", 1, "--oversubscribe", "--json", ranks=ranks)
            self.assertIn(f'"correct1": {out["correct1"]},', again)

    def test_batch_norm_across_workers_and_from_the_last_minibatch(self):
        # 4 workers of 4 images, two and two together: the loaders deal the groups, and 4 ranks cannot hold them.
        more = ["--set", "network.bn_group=8", "--set", "network.bn_evaluation=last-minibatch"]
        one, two = self.train("grouped", *more), self.train("grouped-two", *more, ranks=2)
        self.assertEqual(one["numerics"]["final_weights_xxh3"], two["numerics"]["final_weights_xxh3"])
        out = self.must("evaluate", self.folder / "grouped-two", "--threads", 1, "--json")
        self.assertIn(f'"correct1": {one["epochs"][-1]["correct1"]},', out)
        self.refused(64, "train", self.job, *self.sets, *more, "--out", self.folder / "split", "--oversubscribe", ranks=4,
                     says="4 workers in 2 batch norm groups of 2 on the tree: start 1, 2 ranks")

    def test_two_ranks_give_the_same_bits(self):
        self.train("two", ranks=2)
        code, out, _ = convoy("compare", self.folder / "whole", self.folder / "two", "--speed-margin", 100)
        self.assertEqual(code, 0, out)
        self.assertIn("bitwise equal", out)

    def test_denormal_numbers_are_flushed_on_every_rank_or_kept_and_the_result_says_which(self):
        # At a rate of 1e-37 what starts at zero (biases, batch norm's beta) becomes denormal, and nothing else moves.
        digests = {}
        for denormals in ("flush", "keep"):
            more = ["--set", f"precision.denormals={denormals}", "--set", "schedule.rate=1e-37", "--set", "optimizer.momentum=0"]
            one, two, four = (self.train(f"{denormals}{ranks}", *more, ranks=ranks)["numerics"] for ranks in (0, 2, 4))
            self.assertEqual(one["denormals"], denormals)
            self.assertEqual(one["final_weights_xxh3"], two["final_weights_xxh3"])
            self.assertEqual(one["final_weights_xxh3"], four["final_weights_xxh3"])
            digests[denormals] = one["final_weights_xxh3"]
        self.assertNotEqual(digests["flush"], digests["keep"])
        self.assertEqual(self.result("whole")["numerics"]["denormals"], "flush")

    def test_a_run_from_before_a_key_goes_on_as_it_began(self):
        run = self.folder / "before"
        rate = ["--set", "schedule.rate=1e-37", "--set", "optimizer.momentum=0"]
        straight = self.train("before-straight", *rate, "--set", "precision.denormals=keep")["numerics"]["final_weights_xxh3"]
        code, _, err = convoy("train", self.job, *self.sets, *rate, "--set", "precision.denormals=keep", "--out", run, "--quiet",
                              "--stop-after", 3)
        self.assertEqual(code, 85, err)
        self.refused(64, "train", self.job, *self.sets, *rate, "--out", run, "--resume", "auto", "--quiet",
                     says=('precision.denormals = "keep" there', 'precision.denormals = "flush" here'))
        config = run / "config.resolved.toml"
        config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("denormals")))
        self.must("train", "--resume", run, "--quiet")
        self.assertEqual(self.result("before")["numerics"]["final_weights_xxh3"], straight)
        self.assertEqual(self.result("before")["numerics"]["denormals"], "keep")

    def test_ranks_may_share_unevenly_and_a_resumed_run_shares_as_before(self):
        uneven = ["--road", "library", "--shares", "3,1"]
        straight = self.train("uneven", *uneven, ranks=2)
        self.assertEqual([rank["workers"] for rank in straight["launch"]["per_rank"]], [3, 1])
        self.assertEqual(straight["numerics"]["claim"], "repeatable")
        code, _, err = convoy("train", self.job, *self.sets, *uneven, "--out", self.folder / "halted", "--oversubscribe", "--quiet",
                              "--stop-after", 3, ranks=2)
        self.assertEqual(code, 85, err)
        self.must("train", "--resume", self.folder / "halted", "--oversubscribe", "--quiet", ranks=2)
        resumed = self.result("halted")
        self.assertEqual([rank["workers"] for rank in resumed["launch"]["per_rank"]], [3, 1])
        self.assertEqual(resumed["numerics"]["final_weights_xxh3"], straight["numerics"]["final_weights_xxh3"])
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "no", "--shares", "3,1", "--oversubscribe",
                     ranks=2, says="shares of 3,1 need --road library")
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "no", "--road", "library", "--shares", "3,x",
                     "--oversubscribe", ranks=2, says="give a number of workers for every rank")

    def test_two_backends_train_in_one_job_and_share_by_their_speed(self):
        mixed = ["--backend", "onednn,reference", "--road", "library", "--shares", "auto"]
        said = self.must("train", self.job, *self.sets, *mixed, "--out", self.folder / "mixed", "--oversubscribe", ranks=2)
        self.assertRegex(said, r"rank 1 computes [0-9.]+ images/s: it runs [123] of 4 workers")
        result = self.result("mixed")
        ranks = result["launch"]["per_rank"]
        self.assertEqual([rank["backend"] for rank in ranks], ["onednn", "reference"])
        self.assertEqual(sum(rank["workers"] for rank in ranks), 4)
        self.assertEqual(result["numerics"]["claim"], "repeatable")
        same = self.train("fixed", *mixed[:-1], ",".join(str(rank["workers"]) for rank in ranks), ranks=2)
        self.assertEqual(same["numerics"]["final_weights_xxh3"], result["numerics"]["final_weights_xxh3"])

    def test_a_device_may_resize_the_images_and_changes_no_bit(self):
        one = self.train("host-input", "--backend", "fused")
        two = self.train("device-input", "--backend", "fused", "--device-input", "resize")
        self.assertEqual(one["numerics"]["final_weights_xxh3"], two["numerics"]["final_weights_xxh3"])
        self.assertEqual(one["epochs"][-1]["correct1"], two["epochs"][-1]["correct1"])
        # A rank that computes in the host's memory takes planes, whatever the others do.
        self.train("some-devices", "--backend", "fused,onednn", "--device-input", "resize", ranks=2)
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "none", "--device-input", "resize",
                     says="--device-input resize is for devices with memory of their own, and backend onednn computes in the host's")
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "none", "--backend", "fused", "--device-input", "decode",
                     says="the device of backend fused has no JPEG decoder: its host decodes")

    def test_a_device_s_gradients_are_worked_on_in_page_locked_memory(self):
        # The host stands for the device of `fused`. Of 4 workers on a rank two partial sums are kept, and the mirror.
        one, two = self.train("device", "--backend", "fused"), self.train("device-two", "--backend", "fused", ranks=2)
        self.assertEqual(one["numerics"]["final_weights_xxh3"], two["numerics"]["final_weights_xxh3"])
        plain, mirrored = (run["launch"]["per_rank"][0]["memory"] for run in (self.result("whole"), one))
        self.assertEqual(2 * mirrored["partial_sums_bytes"], 3 * plain["partial_sums_bytes"])
        said = self.must("train", self.job, *self.sets, "--backend", "fused", "--road", "library", "--out",
                         self.folder / "device-library", "--oversubscribe", ranks=2)
        self.assertIn("gradients are summed by the MPI library in page-locked memory", said)

    def test_other_experiments_are_not_compared(self):
        self.train("other", "--set", "optimizer.momentum=0.5", "--set", "train.seed=2", "--set", "minibatch.images=2")
        compare = ("compare", self.folder / "whole", self.folder / "other", "--speed-margin", 100)
        code, out, _ = convoy(*compare, "--accuracy-margin", 1)
        self.assertEqual(code, 0, out)
        self.assertIn("same task, other recipe", out)
        self.assertIn("optimizer.momentum", out)
        before, after = (self.result(name)["epochs"][-1]["correct1"] for name in ("whole", "other"))
        code, out, _ = convoy(*compare, "--fail-if", "held_out_top1 < -0.01")  # points, of 18 images
        self.assertEqual(code, 1 if after < before else 0, out)
        job = self.folder / "wider.toml"
        job.write_text(self.job.read_text().replace("width = 4", "width = 8"))
        self.train("wider", job=job)
        code, out, _ = convoy("compare", self.folder / "whole", self.folder / "wider")
        self.assertEqual(code, 2, out)
        self.assertIn("network.width", out)

    def test_a_stopped_run_goes_on_at_the_exact_step(self):
        seldom = ["--checkpoint-epochs", 0]  # the disk is not what is tested
        long = ["--set", "train.epochs=300", "--set", "train.evaluate_every=0", *seldom]
        straight = self.train("straight", *long)
        process = self.begin("stopped", *long)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 85)
        self.assertEqual(self.result("stopped")["status"], "time_limit")
        self.must("train", "--resume", self.folder / "stopped", "--threads", 1, "--oversubscribe", "--quiet", *seldom, ranks=2)
        resumed = self.result("stopped")
        self.assertEqual(resumed["numerics"]["final_weights_xxh3"], straight["numerics"]["final_weights_xxh3"])
        lines = [json.loads(line) for line in (self.folder / "stopped/metrics.jsonl").read_text().splitlines()]
        steps = [line["step"] for line in lines if line["event"] == "step"]
        self.assertEqual(steps, list(range(900)))

    def test_every_signal_is_a_checkpoint_and_85(self):
        for number in (signal.SIGINT, signal.SIGUSR1):
            run = self.folder / number.name
            process = self.begin(run.name, *self.endless)
            process.send_signal(number)
            self.assertEqual(process.wait(60), 85)
            done = self.result(run.name)["steps"]["count"]
            self.assertEqual([path.name for path in (run / "checkpoints").iterdir()][-1:], [f"checkpoint-{done:08}.h5"])

    def test_a_second_signal_ends_at_once(self):
        # The reference's plain loops make a step of seconds, so that both signals come within it.
        process = self.begin("impatient", *self.endless, "--backend", "reference", "--set", "minibatch.images=512", steps=1)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)  # another one, as two of the same may arrive as one
        self.assertIn(process.wait(60), (-signal.SIGTERM, -signal.SIGINT))
        self.assertNotEqual(self.result("impatient")["status"], "time_limit")
        self.assertFalse(list((self.folder / "impatient/checkpoints").iterdir()))

    def test_a_folder_in_use_is_75_and_left_alone(self):
        process = self.begin("busy", *self.endless)
        for again in (["--resume", self.folder / "busy"],
                      [self.job, *self.sets, "--out", self.folder / "busy", "--resume", "auto"]):
            self.refused(75, "train", *again, "--quiet", says=["busy", f"in use by process {process.pid} on", "wait until"])
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(60), 85)

    def test_a_plain_resume_computes_as_the_run_did(self):
        self.must("train", self.job, *self.sets, "--out", self.folder / "slow", "--quiet", "--backend", "reference", "--road",
                  "library")
        self.must("train", "--resume", self.folder / "slow", "--quiet")
        result = self.result("slow")
        rank = result["launch"]["per_rank"][0]
        self.assertEqual((rank["backend"], rank["threads"], result["launch"]["road"]), ("reference", 1, "library"))
        self.assertIn("bitwise", result["claim"])
        out = self.must("train", "--resume", self.folder / "slow", "--quiet", "--backend", "onednn")
        self.assertIn("backend: reference | onednn", out)
        self.assertEqual(self.result("slow")["claim"], "repeatable")

    def test_a_run_that_an_error_ends_is_failed(self):
        spoilt = self.folder / "set/spoilt"
        shutil.copytree(self.folder / "set/train", spoilt)
        for shard in spoilt.glob("*.h5"):
            data = bytearray(shard.read_bytes())
            data[data.index(b"\xff\xd8\xff") + 200] ^= 0x10  # in its first JPEG
            shard.write_bytes(data)
        for ranks in (0, 2):
            run = self.folder / f"spoilt-{ranks}"
            message = self.refused(1, "train", self.job, "--train", spoilt, *self.sets[2:], "--out", run, "--oversubscribe",
                                   "--quiet", ranks=ranks)
            result = self.result(run.name)
            self.assertEqual((result["status"], result["exit_code"]), ("failed", 1))
            self.assertIn("shard", result["reason"])
            self.assertIn(result["reason"][-40:], message)

    def test_weights_that_diverged_are_called_so(self):
        out = self.folder / "diverged"
        code, _, err = convoy("train", self.job, *self.sets, "--out", out, "--quiet", "--checkpoint-steps", 1, "--set",
                              "schedule.rate=1e30")
        self.assertEqual(code, 2, err)
        self.assertIn("not finite", self.result("diverged")["reason"])
        code, line, err = convoy("evaluate", out, "--threads", 1, "--json")
        self.assertEqual(code, 2, err)
        self.assertIn("diverged", err)
        counts = json.loads(line)
        self.assertIsNone(counts["loss"])
        self.assertGreater(counts["nonfinite"], 0)

    def test_a_signal_to_mpirun_reaches_the_run(self):
        process = self.begin("signalled", *self.endless, ranks=2)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(120), 85)
        self.assertEqual(self.result("signalled")["status"], "time_limit")
        self.assertTrue(list((self.folder / "signalled/checkpoints").glob("*.h5")))

    def test_a_run_in_two_pieces_is_the_run(self):
        run = self.folder / "pieces"
        code, _, err = convoy("train", self.job, *self.sets, "--out", run, "--quiet", "--stop-after", 4)
        self.assertEqual(code, 85, err)
        code, _, err = convoy("train", "--resume", run, "--quiet", "--stop-after", 4)  # no step farther
        self.assertEqual(code, 85, err)
        self.assertIn("4 steps are done already", err)
        self.assertEqual(len((run / "metrics.jsonl").read_text().split('"event":"step"')) - 1, 4)
        self.must("train", "--resume", run, "--quiet")
        self.assertEqual(self.result("pieces")["numerics"]["final_weights_xxh3"],
                         self.result("whole")["numerics"]["final_weights_xxh3"])

    def test_a_refused_experiment_leaves_no_folder(self):
        for key in ("schedule.warmup_epochs=100", "data.resize=8"):
            self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "refused", "--set", key)
            self.assertFalse((self.folder / "refused").exists())

    def test_a_broken_newest_checkpoint_is_passed_over(self):
        copy = self.folder / "torn"
        shutil.copytree(self.folder / "whole", copy)
        checkpoints = sorted((copy / "checkpoints").glob("*.h5"))
        if len(checkpoints) < 2:
            checkpoints.insert(0, copy / "checkpoints/checkpoint-00000001.h5")
            shutil.copy(checkpoints[1], checkpoints[0])
        with open(checkpoints[-1], "r+b") as file:
            file.truncate(checkpoints[-1].stat().st_size // 2)
        code, out, err = convoy("evaluate", copy, "--threads", 1)
        self.assertEqual(code, 0, err)
        self.assertIn(checkpoints[-1].name, err)

    def test_a_run_s_folder_is_not_written_over(self):
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "whole", says=["whole", "--resume"])

    def test_a_checkpoint_of_another_network_is_refused(self):
        self.refused(64, "train", self.job, "--resume", self.folder / "whole", *self.sets, "--set", "network.width=8",
                     says="network.width")

    def test_resume_of_nothing(self):
        self.refused(64, "train", "--resume", self.folder / "never", says=["never", "no run"])

    def test_no_permission(self):
        (self.folder / "locked").mkdir(mode=0o555)
        self.refused(1, "train", self.job, *self.sets, "--out", self.folder / "locked/run", says=["locked", "ermission"],
                     unprivileged=True)

    def test_resume_auto_begins_and_goes_on(self):
        auto = ["train", self.job, *self.sets, "--out", self.folder / "auto", "--resume", "auto", "--quiet"]
        code, _, err = convoy(*auto, "--stop-after", 2)
        self.assertEqual(code, 85, err)
        self.must(*auto)
        self.must(*auto)  # a requeued job that had come to its end
        self.assertEqual(self.result("auto")["numerics"]["final_weights_xxh3"],
                         self.train("straight-for-auto")["numerics"]["final_weights_xxh3"])
        self.refused(64, "train", self.job, *self.sets, "--resume", "auto", says="--out RUN")
        self.refused(64, "train", "--resume", self.folder / "auto", "--out", self.folder / "other", says="--resume auto")

    def test_a_time_limit_ends_as_a_signal_does(self):
        code, _, err = convoy("train", self.job, *self.sets, "--out", self.folder / "limited", "--quiet", "--time-limit", "0:05")
        self.assertEqual(code, 85, err)
        self.assertEqual(self.result("limited")["status"], "time_limit")
        self.must("train", "--resume", self.folder / "limited", "--quiet")
        self.assertEqual(self.result("limited")["status"], "completed")
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "never", "--time-limit", "8h", says="D-HH:MM:SS")
        code, _, _ = convoy("train", self.job, *self.sets, "--out", self.folder / "scheduled", "--quiet",
                            env={"SLURM_JOB_END_TIME": str(int(time.time()) + 5)})
        self.assertEqual(code, 85)

    def test_rolling_back_ends_where_the_same_step_fails_again(self):
        code, _, err = convoy("train", self.job, *self.sets, "--out", self.folder / "rolled", "--set", "schedule.rate=1e30",
                              "--set", "train.on_nonfinite=roll-back", "--set", "train.evaluate_every=0", "--checkpoint-steps", 1)
        self.assertEqual(code, 2, err)
        self.assertEqual(err.count("going back to the last checkpoint"), 1)
        self.assertIn("step 1 has failed twice", err)
        self.assertEqual(self.result("rolled")["status"], "diverged")


if __name__ == "__main__":
    unittest.main()
