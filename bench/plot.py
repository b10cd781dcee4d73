"""Pictures of what was measured, as PNG and SVG: ./dev bench plot

    python plot.py results.json latency.json FOLDER      (matplotlib)

One message each: how close every shape comes to the core's limits, what more threads bring, and how
far the slowest call is from the usual one. Colours are Okabe and Ito's, and marks differ in form, too.
"""
import json
import os
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the backend was chosen)

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
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
                self.runs.setdefault(entry["run_name"].replace("/manual_time", ""), []).append(entry)
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


def spread(values, gap):
    """Places for labels at values, in order and at least a gap apart, as near as can be."""
    places = []
    for value in values:
        places.append([value, 1])  # a group of labels: its middle, their number
        while len(places) > 1:
            (a, m), (b, n) = places[-2:]
            if a + gap * (m + n) / 2 <= b:
                break
            places[-2:] = [[(a * m + b * n) / (m + n), m + n]]
    return [middle + gap * (i - (count - 1) / 2) for middle, count in places for i in range(count)]


def roofline(results, folder):
    peak = results.median(f"peak/{results.arch}", "GFLOP/s")
    points = [(s, results.case(s, "flop/byte"), results.case(s, "GFLOP/s"), results.case(s, "peak"))
              for s in MODULES + SDPA if results.case(s, "GFLOP/s")]
    if not points:
        raise SystemExit("plot: no shape was measured")
    figure, axes = plt.subplots(figsize=(9.2, 5.4))
    figure.subplots_adjust(left=0.085, right=0.69, top=0.83, bottom=0.12)
    low, high = 1.0, 3000.0
    for kib, name, colour in ((131072, "DRAM", RED), (4096, "L3 cache", ORANGE), (256, "L2 cache", GREEN)):
        bandwidth = results.median(f"read/{kib}", "GB/s")
        if not bandwidth:
            continue
        axes.plot([low, peak / bandwidth], [low * bandwidth, peak], color=colour, linewidth=1.6, zorder=1,
                  label=f"reading {name}: {bandwidth:.0f} GB/s")
    axes.plot([low, high], [peak, peak], color="black", linewidth=1.8, zorder=1, label=f"FMA peak: {peak:.0f} GFLOP/s")
    for shapes, marker, colour, label in ((MODULES, "o", BLUE, "nn.MultiheadAttention"),
                                          (SDPA, "s", "#CC79A7", "scaled_dot_product_attention")):
        chosen = [p for p in points if p[0] in shapes]
        axes.scatter([p[1] for p in chosen], [p[2] for p in chosen], s=42, marker=marker, color=colour,
                     edgecolor="white", linewidth=0.8, zorder=3, label=label)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(1, peak * 1.7),
             xlabel="flops for each byte that must be read or written", ylabel="GFLOP/s, one core")
    label_points(axes, points)
    big = [p[3] for p in points if p[0] != "seed"]
    figure.suptitle(f"{min(big):.0%} to {max(big):.0%} of the core's peak, seed apart", x=0.085, y=0.96, ha="left",
                    fontsize=13, fontweight="bold")
    figure.text(0.085, 0.895, results.machine(), color=GREY, fontsize=9)
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    save(figure, folder, "roofline")


def label_points(axes, points):
    """A column of names at the right, each tied to its point."""
    to_axes = axes.transData + axes.transAxes.inverted()
    ordered = sorted(points, key=lambda p: p[2])
    wanted = [to_axes.transform((p[1], p[2]))[1] for p in ordered]
    places = spread(wanted, 0.058)
    shift = min(0.0, 1.04 - places[-1])
    for (name, x, y, share), place in zip(ordered, places):
        axes.annotate(f"{name}  {share:.0%}" if share >= 0.1 else f"{name}  {share:.1%}", xy=(x, y), xycoords="data",
                      xytext=(1.04, place + shift), textcoords="axes fraction", va="center", fontsize=9,
                      annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "color": "#BBBBBB", "linewidth": 0.7, "shrinkB": 3, "zorder": 0})


def scaling(results, folder):
    counts = [n for n in (2, 4, 8) if any(results.case(s, "real_time", n) for s in MODULES + SDPA)]
    if not counts:
        print("plot: no case was measured on several threads: no picture of scaling")
        return
    shapes = [s for s in MODULES + SDPA if results.case(s, "real_time", counts[0])]
    figure, axes = plt.subplots(figsize=(8.2, 1.9 + 0.36 * len(shapes)))
    figure.subplots_adjust(left=0.2, right=0.95, top=1 - 0.95 / figure.get_figheight(),
                           bottom=0.62 / figure.get_figheight())
    best = []
    for y, shape in enumerate(reversed(shapes)):
        for count, colour, marker in zip(counts, (BLUE, ORANGE, GREEN), "osD"):
            time = results.case(shape, "real_time", count)
            if not time:
                continue
            gain = results.case(shape, "real_time") / time
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
    figure, axes = plt.subplots(figsize=(8.2, 1.9 + 0.5 * len(runs)))
    figure.subplots_adjust(left=0.13, right=0.96, top=1 - 1.25 / figure.get_figheight(),
                           bottom=0.62 / figure.get_figheight())
    marks = (("p50", "|", "black"), ("p99", "o", BLUE), ("p99.9", "s", ORANGE), ("max", "D", RED))
    for y, entry in enumerate(reversed(runs)):
        times = entry["run"]["ns"]
        base = times["p50"]
        axes.plot([1, times["max"] / base], [y, y], color="#CCCCCC", linewidth=2, zorder=1)
        for name, marker, colour in marks:
            axes.scatter([times[name] / base], [y], s=90 if marker == "|" else 40, marker=marker, color=colour, zorder=3,
                         label=name if y == 0 else None)
        axes.annotate(time_text(base), (1, y), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8.5)
        axes.annotate(time_text(times["max"]), (times["max"] / base, y), xytext=(0, 8), textcoords="offset points",
                      ha="center", fontsize=8.5, color=RED)
    worst = max(entry["run"]["ns"]["p99"] / entry["run"]["ns"]["p50"] for entry in runs)
    most = max(entry["run"]["ns"]["max"] / entry["run"]["ns"]["p50"] for entry in runs)
    axes.set(xscale="log", xlim=(0.85, most * 1.5), yticks=range(len(runs)),
             yticklabels=[entry["name"] for entry in reversed(runs)], ylim=(-0.5, len(runs) - 0.3),
             xlabel="time of a call, as a multiple of the median (p50)")
    ticks = [t for t in (1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= most * 1.5]
    if len(ticks) > 8:
        ticks = [t for t in ticks if t not in (1.2, 1.5, 3)]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    figure.suptitle(f"99 of 100 calls take at most {worst:.2f} times the median", x=0.02, ha="left",
                    y=1 - 0.2 / figure.get_figheight(), fontsize=13, fontweight="bold")
    figure.text(0.02, 1 - 0.62 / figure.get_figheight(), machine, color=GREY, fontsize=9)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, fontsize=9, ncols=4, loc="upper left",
                  bbox_to_anchor=(0.115, 1 - 0.78 / figure.get_figheight()), handletextpad=0.2, columnspacing=1.4)
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
