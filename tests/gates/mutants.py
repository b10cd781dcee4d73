"""mutants.py - do the tests notice small faults? Each mutant is the tree with one of them, built and tested.

    python3 tests/gates/mutants.py BUILD_FOLDER [--jobs N] [--count N] [--part K/N] [--file TEXT] [--continue]

Which mutants there are depends on the text of a line alone, by hashing, so that a change elsewhere leaves them as
they are. What does not compile and what compiles to the same code does not count. A mutant is killed by a test that
fails, by a program of the tests that does not compile (a static_assert is a test), or by a time limit. Those that
survive must be in survivors.txt, with a reason; at least 95 of 100 of the whole must be killed.
Left out: core/cpu.cpp, for this machine is one CPU only (the tests arch_on_... play others), and .inc files: tables, and
what is written once per kind of registers, of which the build has one.
"""
import argparse
import concurrent.futures
import hashlib
import math
import os
import resource
import signal
import subprocess
import sys
import time

from mutations import mutations

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ["src/", "src/core/", "src/kernels/", "src/io/"]
ALSO = ["include/heed/layout.hpp", "include/heed/rules.hpp"]
EXCEPT = ["src/core/cpu.cpp", "src/core/cpu.hpp", "src/core/features.hpp"]
# Of one file at most: kernels, and more so the layout, take long to compile.
MOST, MOST_OF_KERNELS, MOST_OF_LAYOUT = 24, 10, 5
FAST = "[errors],[choice],[verify],[exp2],[layout],[self_test],[archs],[numbers],[accuracy],[golden]"
LIBRARIES = ["libheed.a", "src/io/libheed_io.a"]
# In this order, with --abort: what is quick and kills most comes first.
PROGRAMS = [("heed_tests", [FAST]), ("heed_tests", []), ("heed_io_tests", []), ("heed_packed_tests", [])]
LEAST_SHARE = 95


class Mutant:
    def __init__(self, path, number, text, marked):
        self.path, self.number, self.text, self.marked = path, number, text, marked
        self.verdict = None
        self.rank = hashlib.sha256(f"{path} {marked}".encode()).hexdigest()

    def __str__(self):
        return f"{self.path}:{self.number + 1}: {self.marked}"


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          errors="replace", **options)


def known_files():
    listed = run(["git", "-C", ROOT, "ls-files"]).stdout.split()
    return [f for f in listed if os.path.exists(os.path.join(ROOT, f))]


def all_mutants():
    found = {}
    for path in known_files():
        folder = os.path.dirname(path) + "/"
        if (folder in FOLDERS and path.endswith("pp") or path in ALSO) and path not in EXCEPT:
            with open(os.path.join(ROOT, path)) as file:
                lines = file.read().split("\n")
            found[path] = sorted((Mutant(path, *m) for m in mutations(lines)), key=lambda m: m.rank)
    return found


def chosen(found, count):
    """Of each file its share of `count`, at least 4; repeated lines once."""
    total, picked = sum(map(len, found.values())), []
    for path, mutants in found.items():
        share = max(4, math.ceil(count * len(mutants) / total))
        share = min(share, MOST_OF_LAYOUT if path in ALSO else MOST_OF_KERNELS if "/kernels/" in path else MOST)
        seen = set()
        unique = [m for m in mutants if not (m.marked in seen or seen.add(m.marked))]
        picked += unique[:share]
    return picked


class Place:
    """A copy of the tree and its build, for one job."""

    def __init__(self, folder):
        self.tree, self.build = os.path.join(folder, "tree"), os.path.join(folder, "build")
        self.seconds = {}

    def prepare(self):
        for path in known_files():
            with open(os.path.join(ROOT, path), "rb") as file:
                self.write(path, file.read())
        options = ["-DCMAKE_BUILD_TYPE=Mutant", "-DCMAKE_CXX_FLAGS=-O2", "-DHEED_ARCH_OPTIMIZATION=-O2",
                   "-DHEED_ARCHS=avx2;sse42;scalar", "-DHEED_BUILD_TOOLS=OFF"]
        made = run(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build, *options])
        if made.returncode != 0 or not self.make(LIBRARIES) or not self.make(self.programs()):
            sys.exit(f"mutants: the tree as it is does not build in {self.build}\n{made.stdout}")
        self.baseline = self.sums(LIBRARIES + self.programs())
        for step in PROGRAMS:
            start = time.monotonic()
            if not self.test(step, 600):
                sys.exit(f"mutants: the tests of the tree as it is fail: {step}")
            self.seconds[str(step)] = math.ceil(time.monotonic() - start)

    def write(self, path, content):
        """Only what differs, so that no more is built than that needs."""
        target = os.path.join(self.tree, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.exists(target):
            with open(target, "rb") as file:
                if file.read() == content:
                    return
        with open(target, "wb") as file:
            file.write(content)
        os.chmod(target, os.stat(os.path.join(ROOT, path)).st_mode)

    def programs(self):
        return sorted({"tests/" + name for name, _ in PROGRAMS})

    def make(self, targets):
        return run(["ninja", "-C", self.build, "-j1", *targets]).returncode == 0

    def sums(self, paths):
        sums = {}
        for path in paths:
            with open(os.path.join(self.build, path), "rb") as file:
                sums[path] = hashlib.sha256(file.read()).digest()
        return sums

    def test(self, step, seconds):
        """Within so much time of the processor, for loops without end; waiting for ever takes a minute."""
        name, words = step
        limits = [(resource.RLIMIT_AS, 4 << 30), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 1 << 28),
                  (resource.RLIMIT_CPU, seconds)]
        process = subprocess.Popen(
            [os.path.join(self.build, "tests", name), "--abort", *words], cwd=os.path.join(self.build, "tests"),
            env={**os.environ, "HEED_TEST_QUICK": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: [resource.setrlimit(what, (most, most)) for what, most in limits])
        for _ in range(60 + 2 * seconds):  # by ones, so that a machine that sleeps does not kill mutants
            try:
                return process.wait(1) == 0
            except subprocess.TimeoutExpired:
                pass
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False

    def judge(self, mutant):
        """Puts the fault in; the file stays that way for the next mutant of it."""
        with open(os.path.join(ROOT, mutant.path)) as file:
            lines = file.read().split("\n")
        lines[mutant.number] = mutant.text
        self.write(mutant.path, "\n".join(lines).encode())
        if not self.make(LIBRARIES):
            return "does not compile"
        if not self.make(self.programs()):
            return "killed"
        sums = self.sums(LIBRARIES + self.programs())
        changed = {path for path in sums if sums[path] != self.baseline[path]}
        if not changed:
            return "same code"
        for step in PROGRAMS:
            if f"tests/{step[0]}" in changed and not self.test(step, 2 + 2 * self.seconds[str(step)]):
                return "killed"
        return "survived"

    def judge_file(self, mutants, journal):
        for mutant in mutants:
            if mutant.verdict:
                continue
            start = time.monotonic()
            mutant.verdict = self.judge(mutant)
            print(f"{mutant.verdict:16} {time.monotonic() - start:6.1f} s  {mutant}", flush=True)
            journal.write(f"{mutant.rank} {mutant.verdict}\n")
            journal.flush()
        with open(os.path.join(ROOT, mutants[0].path), "rb") as file:
            self.write(mutants[0].path, file.read())


def listed_survivors():
    """PATH:LINE: MARKED LINE  # REASON; the line's number is for the reader, it may be an older one."""
    known = set()
    with open(os.path.join(ROOT, "tests/gates/survivors.txt")) as file:
        for line in file:
            place, _, rest = line.partition(": ")
            marked, _, reason = rest.rpartition("  # ")
            if marked and reason.strip():
                known.add((place.rpartition(":")[0], marked))
    return known


def recall(mutants, folder):
    """What an interrupted run, or one before more tests were written, already knows; survivors are tried again."""
    try:
        with open(os.path.join(folder, "verdicts.txt")) as file:
            known = dict(line.rstrip().split(" ", 1) for line in file)
    except FileNotFoundError:
        return
    for mutant in mutants:
        if known.get(mutant.rank) != "survived":
            mutant.verdict = known.get(mutant.rank)


def report(mutants, folder, least_share):
    counted = [m for m in mutants if m.verdict in ("killed", "survived")]
    survived = [m for m in counted if m.verdict == "survived"]
    known = listed_survivors()
    new = [m for m in survived if (m.path, m.marked) not in known]
    for path in sorted({m.path for m in mutants}):
        of_file = [m.verdict for m in mutants if m.path == path]
        print(f"{path:36} {of_file.count('killed'):4} killed {of_file.count('survived'):4} survived "
              f"{of_file.count('same code'):4} same code {of_file.count('does not compile'):4} not compiled")
    with open(os.path.join(folder, "survivors.txt"), "w") as file:
        file.writelines(f"{m}  #{' NEW' * (m in new)}\n" for m in survived)
    for m in new:
        print(f"survived, and is not in tests/gates/survivors.txt: {m}")
    share = 100 * (len(counted) - len(survived)) / max(1, len(counted))
    print(f"{len(counted)} mutants, {len(counted) - len(survived)} killed ({share:.1f} %), {len(survived)} survived, "
          f"{len(new)} of them without a reason")
    return not new and share >= least_share and counted


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--count", type=int, default=440, help="mutants to try; some of them do not count")
    parser.add_argument("--part", default="0/1", help="K/N: every N-th mutant, from the K-th on")
    parser.add_argument("--file", default="", help="only of files whose path holds this")
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="after an earlier run: only what it left")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    mutants = chosen(all_mutants(), options.count)[part % parts::parts]
    mutants = [m for m in mutants if options.file in m.path]
    if options.goes_on:
        recall(mutants, options.folder)
    groups = [[m for m in mutants if m.path == path] for path in sorted({m.path for m in mutants})]
    groups.sort(key=lambda g: (g[0].path in ALSO, "/kernels/" in g[0].path, -len(g)))  # what is quick comes first
    places = [Place(os.path.join(os.path.abspath(options.folder), str(job))) for job in range(options.jobs)]
    os.makedirs(options.folder, exist_ok=True)
    journal = open(os.path.join(options.folder, "verdicts.txt"), "a" if options.goes_on else "w")
    with journal, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(Place.prepare, places))
        free = list(places)

        def work(group):
            place = free.pop()
            place.judge_file(group, journal)
            free.append(place)
        list(pool.map(work, groups))
    sys.exit(0 if report(mutants, options.folder, LEAST_SHARE if parts == 1 else 0) else 1)


main()
