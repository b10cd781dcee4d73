"""Pictures of what was measured, as PNG and SVG: ./dev bench plot

    python plot.py results.json latency.json FOLDER      (matplotlib)

One message each: how close every shape comes to the core's limits, what more threads bring, and how
far the slowest call is from the usual one. Colours are Okabe and Ito's, and marks differ in form, too.
"""
import json
import os
import re
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend was chosen)

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#666666"
STYLE = {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"], "font.size": 10,
         "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
         "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlepad": 14, "svg.fonttype": "none",
         "svg.hashsalt": "heed", "figure.facecolor": "white"}
MODULES = ["seed", "kwt1", "kwt3", "minilm", "minilm_b8", "vit_tiny", "vit_base", "bert_base", "whisper_tiny_enc"]
SDPA = ["sdpa_128", "sdpa_197", "sdpa_384", "sdpa_1500", "sdpa_4096", "sdpa_4096_causal", "sdpa_2048_d128_causal"]


class Results:
    """Medians of the repetitions."""

    def __init__(self, path):
        with open(path) as file:
            data = json.load(file)
        self.context, self.runs = data["context"], {}
        for entry in data["benchmarks"]:
            if entry.get("run_type") == "iteration" and not entry.get("error_occurred"):
                self.runs.setdefault(re.split("/min_time:|/manual_time", entry["run_name"])[0], []).append(entry)
        archs = [a for a in self.context["archs"].split() if f"peak/{a}" in self.runs]
        if not archs:
            raise SystemExit(f"plot: {path}: no arch with a measured peak")
        self.arch = archs[0]

    def median(self, name, field):
        """None: not measured."""
        values = [run[field] for run in self.runs.get(name, []) if field in run]
        return statistics.median(values) if values else None

    def case(self, shape, field, threads=1):
        operation = "sdpa" if shape in SDPA else "mha"
        return self.median(f"{operation}/{self.arch}/{shape}/threads:{threads}", field)

    def machine(self):
        return f"{self.context.get('cpu', 'unknown CPU')}, {self.arch}, {self.context.get('compiler', '')}"


def save(figure, folder, name):
    for kind in ("png", "svg"):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(os.path.join(folder, f"{name}.{kind}"), dpi=120, metadata=metadata)
    plt.close(figure)


def roofline(results, folder):
    peak = results.median(f"peak/{results.arch}", "GFLOP/s")
    points = [(s, results.case(s, "flop/byte"), results.case(s, "peak"), s in SDPA)
              for s in MODULES + SDPA if results.case(s, "peak")]
    if not points:
        raise SystemExit("plot: no shape was measured")
    figure, axes = plt.subplots(figsize=(9.6, 5.2))
    figure.subplots_adjust(left=0.09, right=0.71, top=0.84, bottom=0.12)
    low, high = 1.0, 2000.0
    for kib, name, colour in ((131072, "DRAM", RED), (4096, "L3 cache", ORANGE), (256, "L2 cache", GREEN)):
        bandwidth = results.median(f"read/{kib}", "GB/s")
        if not bandwidth:
            continue
        steps = [low * (peak / bandwidth / low) ** (i / 60) for i in range(61)]
        axes.plot(steps, [x * bandwidth / peak for x in steps], color=colour, linewidth=1.6, zorder=1,
                  label=f"reading {name}: {bandwidth:.0f} GB/s")
    axes.plot([low, high], [1, 1], color="black", linewidth=1.8, zorder=1, label=f"FMA peak: {peak:.0f} GFLOP/s")
    for sdpa, marker, colour, label in ((False, "o", BLUE, "nn.MultiheadAttention"),
                                        (True, "s", PURPLE, "scaled_dot_product_attention")):
        chosen = [p for p in points if p[3] == sdpa]
        axes.scatter([p[1] for p in chosen], [p[2] for p in chosen], s=42, marker=marker, color=colour,
                     edgecolor="white", linewidth=0.8, zorder=3, label=label)
    axes.set(xscale="log", xlim=(low, high), ylim=(0, 1.06), yticks=[i / 5 for i in range(6)],
             yticklabels=[f"{20 * i}%" for i in range(6)],
             xlabel="flops for each byte that must be read or written", ylabel="share of the FMA peak, one core")
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    name_points(figure, axes, points)
    big = [p[2] for p in points if p[0] != "seed"]
    figure.suptitle(f"{min(big):.0%} to {max(big):.0%} of what the core can do", x=0.09, y=0.97, ha="left",
                    fontsize=13, fontweight="bold")
    figure.text(0.09, 0.895, results.machine() + "; without seed, which has 2560 flops", color=GREY, fontsize=9)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    save(figure, folder, "roofline")


def name_points(figure, axes, points):
    """A number at each point, modules' at the left, SDPA's at the right, and the names beside."""
    x, y = 0.735, 0.83
    for number, (name, intensity, share, sdpa) in enumerate(points, 1):
        colour = PURPLE if sdpa else BLUE
        axes.annotate(str(number), (intensity, share), xytext=(6, 0) if sdpa else (-6, 0), textcoords="offset points",
                      ha="left" if sdpa else "right", va="center", fontsize=8, color=colour, zorder=4)
        figure.text(x, y, f"{number}", ha="right", fontsize=9, color=colour, fontweight="bold")
        figure.text(x + 0.01, y, name, fontsize=9)
        figure.text(0.985, y, f"{share:.0%}" if share >= 0.1 else f"{share:.1%}", fontsize=9, ha="right")
        y -= 0.043


def scaling(results, folder):
    counts = [n for n in (2, 4, 8) if any(results.case(s, "median", n) for s in MODULES + SDPA)]
    if not counts:
        print("plot: no case was measured on several threads: no picture of scaling")
        return
    shapes = [s for s in MODULES + SDPA if results.case(s, "median", counts[0])]
    figure, axes = plt.subplots(figsize=(8.2, 1.9 + 0.36 * len(shapes)))
    figure.subplots_adjust(left=0.2, right=0.95, top=1 - 0.95 / figure.get_figheight(),
                           bottom=0.62 / figure.get_figheight())
    best = []
    for y, shape in enumerate(reversed(shapes)):
        for count, colour, marker in zip(counts, (BLUE, ORANGE, GREEN), "osD"):
            time = results.case(shape, "median", count)
            if not time:
                continue
            gain = results.case(shape, "median") / time
            best.append(gain if count == counts[0] else 0)
            axes.plot([1, gain], [y, y], color="#CCCCCC", linewidth=2, zorder=1)
            axes.scatter([gain], [y], s=52, color=colour, marker=marker, zorder=3,
                         label=f"{count} threads" if y == 0 else None)
            axes.annotate(f"{gain:.2f}", (gain, y), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8)
    for count in counts:
        axes.axvline(count, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(f"ideal, {count} threads", (count, len(shapes) - 0.35), fontsize=8, color=GREY, ha="right",
                      xytext=(-4, 0), textcoords="offset points")
    axes.axvline(1, color="black", linewidth=1, zorder=0)
    axes.set(yticks=range(len(shapes)), yticklabels=list(reversed(shapes)), xlim=(0.9, counts[-1] + 0.15),
             ylim=(-0.6, len(shapes) + 0.1), xlabel="speed-up over one thread")
    axes.tick_params(axis="y", length=0)
    figure.suptitle(f"{counts[0]} threads: up to {max(best):.2f} times as fast, with the same bits", x=0.02, ha="left",
                    y=1 - 0.2 / figure.get_figheight(), fontsize=13, fontweight="bold")
    figure.text(0.02, 1 - 0.62 / figure.get_figheight(), results.machine(), color=GREY, fontsize=9)
    if len(counts) > 1:
        axes.legend(frameon=False, loc="lower right", fontsize=9)
    save(figure, folder, "scaling")


def time_text(ns):
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if ns < 1000 * size or unit == "ms":
            return f"{ns / size:.3g} {unit}"
    return ""


def latency(path, machine, folder):
    with open(path) as file:
        runs = json.load(file)
    height = 1.9 + 0.42 * len(runs)
    figure, axes = plt.subplots(figsize=(8.8, height))
    figure.subplots_adjust(left=0.11, right=0.78, top=1 - 1.3 / height, bottom=0.62 / height)
    marks = (("p50", "|", "black"), ("p99", "o", BLUE), ("p99.9", "s", ORANGE), ("max", "D", RED))
    for y, entry in enumerate(reversed(runs)):
        times = entry["run"]["ns"]
        axes.plot([1, times["max"] / times["p50"]], [y, y], color="#CCCCCC", linewidth=2, zorder=1)
        for name, marker, colour in marks:
            axes.scatter([times[name] / times["p50"]], [y], s=110 if marker == "|" else 38, marker=marker, color=colour,
                         zorder=3, label=name if y == 0 else None)
        for at, name, colour in ((1.15, "p50", "black"), (1.27, "max", RED)):
            axes.annotate(time_text(times[name]), (at, y), xycoords=("axes fraction", "data"), ha="right", va="center",
                          fontsize=9, color=colour, annotation_clip=False)
    for at, name, colour in ((1.15, "p50", "black"), (1.27, "max", RED)):
        axes.annotate(name, (at, len(runs) - 0.3), xycoords=("axes fraction", "data"), ha="right", fontsize=9,
                      fontweight="bold", color=colour, annotation_clip=False)
    worst = max(entry["run"]["ns"]["p99"] / entry["run"]["ns"]["p50"] for entry in runs)
    most = 1.4 * max(entry["run"]["ns"]["max"] / entry["run"]["ns"]["p50"] for entry in runs)
    axes.set(xscale="log", xlim=(0.93, max(most, 2.2)), yticks=range(len(runs)),
             yticklabels=[entry["name"] for entry in reversed(runs)], ylim=(-0.5, len(runs) - 0.4),
             xlabel="time of a call, as a multiple of the median")
    ticks = [d * s for d in (1, 10, 100, 1000, 10000, 100000) for s in (1, 2, 5) if d * s <= max(most, 2.2)]
    if len(ticks) > 9:
        ticks = [t for t in ticks if str(t)[0] == "1"]
    if len(ticks) < 4:
        ticks = [t for t in (1, 1.2, 1.5, 2, 3, 5) if t <= max(most, 2.2)]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    times = f"{worst:.2f}" if worst < 10 else f"{worst:.0f}"
    figure.suptitle(f"99 of 100 calls take at most {times} times the median", x=0.02, ha="left", y=1 - 0.2 / height,
                    fontsize=13, fontweight="bold")
    figure.text(0.02, 1 - 0.62 / height, machine + ", one thread, wall time", color=GREY, fontsize=9)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, fontsize=9, ncols=4, loc="upper left",
                  bbox_to_anchor=(0.1, 1 - 0.74 / height), handletextpad=0.2, columnspacing=1.4)
    save(figure, folder, "latency")


def main(results_path, latency_path, folder):
    os.makedirs(folder, exist_ok=True)
    plt.rcParams.update(STYLE)
    results = Results(results_path)
    roofline(results, folder)
    scaling(results, folder)
    latency(latency_path, results.machine(), folder)
    for name in sorted(os.listdir(folder)):
        print(os.path.join(folder, name), os.path.getsize(os.path.join(folder, name)), "bytes")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
