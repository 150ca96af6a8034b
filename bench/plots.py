# SPDX-License-Identifier: Apache-2.0
"""The plots of report.py, as SVG: latency by operation, throughput against clients, cost against the number of devices."""
import matplotlib

matplotlib.use("SVG")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# Okabe and Ito's colours, which the colour-blind tell apart too; the marks differ as well.
STYLES = {
    "mdevfs": ("#0072B2", "o"),
    "mdevfs -o cached": ("#56B4E9", "D"),
    "mdevfs --poll-us 0": ("#CC79A7", "v"),
    "null_fs": ("#D55E00", "s"),
    "sysfs": ("#000000", "x"),
    "tmpfs": ("#009E73", "^"),
    "the model alone": ("#E69F00", "P"),
}

pyplot.rcParams.update({
    "svg.hashsalt": "mdevfs",  # the same figures are the same file
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
})


def style(system):
    colour, mark = STYLES[system]
    above = 3 if system.startswith("mdevfs") else 2
    return {"color": colour, "marker": mark, "markersize": 6, "capsize": 2, "elinewidth": 1, "zorder": above}


def save(figure, path, labelled):
    """With one legend for the panels `labelled`, above them."""
    handles = {label: handle for axes in labelled for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="upper center", ncol=len(handles), columnspacing=1.5,
                  handletextpad=0.5)
    figure.tight_layout(rect=(0, 0, 1, 0.92))
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    head, _, rest = path.read_text().partition("\n")
    path.write_text(f"{head}\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n{rest}")
    pyplot.close(figure)


def figure_of(panels, **options):
    return pyplot.subplots(1, panels, figsize=(8, 3.6), **options)


def plain(value, _):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def short(value, _):
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def log_scale(axis, axes_set_scale):
    axes_set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())


def latency(results, path):
    rows = results.part("latency")
    figure, axes = figure_of(1)
    for system in [name for name in STYLES if any(name in row["systems"] for row in rows)]:
        at = [(place, row["systems"][system]) for place, row in enumerate(rows) if system in row["systems"]]
        axes.errorbar([found["median"] / 1e3 for _, found in at], [place for place, _ in at],
                      xerr=[found["spread"] / 1e3 for _, found in at], linestyle="none", label=system, **style(system))
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    log_scale(axes.xaxis, axes.set_xscale)
    axes.set_xlabel("microseconds (median, half the interquartile range)")
    axes.grid(axis="x")
    axes.grid(axis="y", linestyle=":")
    save(figure, path, [axes])


def line(axes, counts, found, label, figure):
    """`figure` makes of nanoseconds what is shown."""
    if not counts:
        return
    middles = [figure(one["median"]) for one in found]
    spreads = [middle * one["spread"] / one["median"] for middle, one in zip(middles, found)]
    axes.errorbar(counts, middles, yerr=spreads, label=label, linewidth=1.2, **style(label))


def lines(axes, results, row_id, systems, figure):
    for system in systems:
        line(axes, *results.series(row_id, system), system, figure)
    axes.set_xscale("log")
    log_scale(axes.yaxis, axes.set_yscale)
    axes.grid(axis="y")


def clients(results, path):
    figure, panels = figure_of(2, sharey=True)
    for axes, row_id, title in zip(panels, ("read", "mixed"), ("open+read+close of an attribute", "mixed reads")):
        lines(axes, results, row_id, STYLES, lambda nanoseconds: 1e6 / nanoseconds)
        axes.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        axes.minorticks_off()
        axes.set_xlabel("clients")
        axes.set_title(title, fontsize=10)
    panels[0].set_ylabel("thousand operations a second")
    save(figure, path, panels[:1])


def devices(results, path):
    figure, (left, right) = figure_of(2)
    microseconds = lambda nanoseconds: nanoseconds / 1e3
    lines(left, results, "create_remove", ("mdevfs", "null_fs", "tmpfs"), microseconds)
    line(left, *results.series("model/create_remove/vfio:1", "mdevfs"), "the model alone", microseconds)
    left.set_title("create+remove (null_fs, tmpfs: two writes)", fontsize=10)
    left.set_ylabel("microseconds")
    lines(right, results, "ls_all", ("mdevfs", "null_fs", "tmpfs"), lambda nanoseconds: nanoseconds)
    right.set_title("ls of them all, a name", fontsize=10)
    right.set_ylabel("nanoseconds")
    for axes in (left, right):
        axes.set_xlabel("devices")
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.minorticks_off()
    save(figure, path, (left, right))


def draw(results, directory):
    for name, plot in (("latency", latency), ("clients", clients), ("devices", devices)):
        plot(results, directory / f"{name}.svg")
