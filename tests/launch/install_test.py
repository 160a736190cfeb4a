"""What `cmake --install` leaves, run from there; the modulefile under Tcl; the Spack recipe's syntax."""
import ast
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from convoy_cli import BUILD, ROOT

PACKAGING = ROOT / "jobs/launch/packaging"
# What Environment Modules and Lmod give a modulefile, as far as ours asks.
TCL = """
proc module-whatis {text} {}
proc conflict {name} {}
proc setenv {name value} { puts "$name=$value" }
proc prepend-path {name value} { puts "$name:$value" }
set ModulesCurrentModulefile [lindex $argv 0]
source $ModulesCurrentModulefile
"""


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.prefix = Path(tempfile.mkdtemp(prefix="convoy-install-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.prefix, ignore_errors=True)
        subprocess.run(["cmake", "--install", BUILD, "--prefix", cls.prefix], check=True, capture_output=True)
        cls.version = re.search(r"project\(convoy VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]

    def convoy(self, *arguments):
        clean = {"PATH": f"{self.prefix}/bin:/usr/bin:/bin", "HOME": str(self.prefix), "OMPI_ALLOW_RUN_AS_ROOT": "1",
                 "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return subprocess.run(["convoy", *arguments], capture_output=True, text=True, env=clean, cwd=self.prefix, check=True).stdout

    def test_the_program_runs_from_its_new_place(self):
        self.assertEqual(self.convoy("--version").strip(), f"convoy {self.version}")
        self.assertIn("onednn", self.convoy("info"))
        self.assertIn("4 workers x 16 images", self.convoy("plan", "share/convoy/jobs/demo.toml"))

    def test_what_belongs_to_it_is_there(self):
        for name in ("share/man/man1/convoy.1", "share/bash-completion/completions/convoy", "share/zsh/site-functions/_convoy",
                     "share/doc/convoy/LICENSE", "share/doc/convoy/result.schema.json", "share/convoy/jobs/mlperf/b8192.toml"):
            self.assertGreater((self.prefix / name).stat().st_size, 100, name)
        machines = {path.name for path in (self.prefix / "share/convoy/jobs/launch/machines").iterdir()}
        self.assertEqual(machines, {path.name for path in (ROOT / "jobs/launch/machines").glob("*.toml")})

    @unittest.skipUnless(shutil.which("tclsh"), "tclsh is not here: the modulefile was not read")
    def test_the_modulefile_finds_its_prefix(self):
        module = self.prefix / "share/modulefiles/convoy" / self.version
        with tempfile.NamedTemporaryFile("w", suffix=".tcl") as script:
            script.write(TCL)
            script.flush()
            said = subprocess.run(["tclsh", script.name, module], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said.split(), [f"CONVOY_ROOT={self.prefix}", f"PATH:{self.prefix}/bin", f"MANPATH:{self.prefix}/share/man"])


class Recipes(unittest.TestCase):
    def test_the_spack_recipe_names_what_cmake_asks_for(self):
        tree = ast.parse((PACKAGING / "package.py").read_text())
        recipe = next(node for node in tree.body if isinstance(node, ast.ClassDef))
        self.assertEqual((recipe.name, recipe.bases[0].id), ("Convoy", "CMakePackage"))
        wanted = {call.args[0].value.split("@")[0] for call in ast.walk(recipe)
                  if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "depends_on"}
        self.assertLessEqual({"mpi", "hdf5", "onednn", "hwloc", "libjpeg-turbo", "libpng", "matio", "xxhash", "fmt", "spdlog",
                              "tomlplusplus", "nlohmann-json", "cli11"}, wanted)
        options = (ROOT / "CMakeLists.txt").read_text()
        for call in ast.walk(recipe):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "define" and call.args[0].value != "MPI_CXX_COMPILER":
                self.assertRegex(options, rf"(set|option)\({call.args[0].value} ")

    def test_the_presets_set_options_that_there_are(self):
        options = (ROOT / "CMakeLists.txt").read_text()
        presets = sorted((PACKAGING / "presets").glob("*.cmake"))
        self.assertEqual([path.stem for path in presets], ["develop", "sanitize", "site"])
        for path in presets:
            with tempfile.TemporaryDirectory() as folder:  # -C alone, of a project that has no code
                (Path(folder) / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.20)\nproject(none LANGUAGES NONE)\n")
                subprocess.run(["cmake", "-S", folder, "-B", f"{folder}/build", "-C", path], check=True, capture_output=True)
                cache = (Path(folder) / "build/CMakeCache.txt").read_text()
            for name in re.findall(r"set\((\w+)", path.read_text()):
                self.assertIn(f"\n{name}:", cache)
                if name.startswith("CONVOY_"):
                    self.assertRegex(options, rf"(set|option)\({name} ")

    def test_the_image_s_script_is_sound(self):
        text = (PACKAGING / "convoy.def").read_text()
        post = text.split("%post\n", 1)[1].split("\n%environment", 1)[0]
        done = subprocess.run(["bash", "-n"], input=post, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for path in re.findall(r"jobs/launch/\S+\.sh", post):
            self.assertTrue(os.access(ROOT / path, os.X_OK), path)


if __name__ == "__main__":
    unittest.main()
