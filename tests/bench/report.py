#!/usr/bin/env python3
"""Draws the results of the bench: of X.csv, a page X.md and a chart X.svg beside it; and of all in its folder the
summary.md that README shows.

usage: report.py X.csv...
"""
import csv
import itertools
import pathlib
import sys

from networks import DYNAMO, INT8

TOLERANCE = 1e-4  # of the largest output; who is further off is shown, but nobody's measure
NAMES = {"resnet8": "ResNet-8", "resnet20": "ResNet-20", "resnet18": "ResNet-18", "resnet34": "ResNet-34",
         "resnet50": "ResNet-50", "resnet101": "ResNet-101", "resnext50_32x4d": "ResNeXt-50",
         "wide_resnet50_2": "Wide-ResNet-50-2", "se_resnet50": "SE-ResNet-50", "resnet50_gn": "ResNet-50, GroupNorm",
         "regnet_y_800mf": "RegNetY-800MF", "mobilenet_v2": "MobileNetV2", "mobilenet_v3_large": "MobileNetV3-L",
         "efficientnet_b0": "EfficientNet-B0", "hgnetv2_b0": "HGNetV2-B0", "convnext_tiny": "ConvNeXt-T",
         "densenet121": "DenseNet-121", "unet_resnet34": "U-Net", "deeplabv3_resnet50": "DeepLabV3",
         "srresnet": "SRResNet", "r3d_18": "R3D-18"}
NAMES |= {name + suffix: text + kind for suffix, kind in ((DYNAMO, ", dynamo"), (INT8, ", 8 bits"))
          for name, text in list(NAMES.items())}
CPUS = {"znver3": "AMD Zen 3", "znver4": "AMD Zen 4", "znver5": "AMD Zen 5", "sapphirerapids": "Intel Sapphire Rapids"}
SUMMARY = ("resnet18", "resnet50", "wide_resnet50_2", "mobilenet_v2", "resnet50-int8")
# runtime: what it is called, its colour (of equal contrast to white and to black)
RUNTIMES = {"resnetcc": ("resnetcc", "#1a7fe8"), "onnxruntime": ("ONNX Runtime", "#d9730d"),
            "openvino": ("OpenVINO", "#9065d8"), "ncnn": ("ncnn", "#2f9a55"), "torch": ("torch", "#868e96")}


# ---- the rows ----

def read_csv(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def case(row):
    """What was measured, and the order of the page."""
    order = list(NAMES)
    rank = order.index(row["model"]) if row["model"] in NAMES else len(order)
    return int(row["batch"]), int(row["threads"]), rank, row["model"]


def cases(rows):
    """{batch, threads: {model: {runtime: row}}}"""
    panels = {}
    for (batch, threads, _, model), group in itertools.groupby(sorted(rows, key=case), case):
        panels.setdefault((batch, threads), {})[model] = {row["runtime"]: row for row in group}
    return panels


def is_correct(row):
    return float(row["error"]) <= TOLERANCE or row["model"].endswith(INT8)


def fastest_other(rows):
    others = [row for row in rows if row["runtime"] != "resnetcc" and is_correct(row)]
    return min(others, key=lambda row: float(row["min_ms"]), default=None)


def ratio(row, best, column="min_ms"):
    return float(row[column]) / float(best[column])


def title(batch, threads):
    return f"batch {batch}, {threads} thread{'s' if threads > 1 else ''}"


# ---- the page ----

def milliseconds(row):
    text = f"{float(row['min_ms']) / int(row['batch']):.3g}"
    return text if is_correct(row) else f"({text})"


def peak_of(row):
    """Which peak it is a share of: as many threads, floats or integers."""
    return row["threads"], row["model"].endswith(INT8)


def percent_of_peak(row, peaks):
    """Of the best one that was measured."""
    return float(row["peak_percent"]) * float(row["peak_gflops"]) / peaks[peak_of(row)]


def page_table(models, peaks):
    names = [name for name in RUNTIMES if any(name in by_runtime for by_runtime in models.values())]
    lines = ["| | " + " | ".join(RUNTIMES[name][0] for name in names) +
             " | ratio | of medians | % of peak | error | peak, GFLOP/s |", "|---" * (len(names) + 6) + "|"]
    for model, by_runtime in models.items():
        own, best = by_runtime.get("resnetcc"), fastest_other(by_runtime.values())
        cells = [NAMES.get(model, model)]
        cells += [milliseconds(by_runtime[name]) if name in by_runtime else "-" for name in names]
        if own and best:
            cells += [f"**{ratio(own, best):.2f}**", f"{ratio(own, best, 'median_ms'):.2f}",
                      f"{percent_of_peak(own, peaks):.0f}", own["error"],
                      f"{own['lowest_peak_gflops']} to {own['peak_gflops']}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def page(rows, chart):
    dates, first = sorted(row["date"] for row in rows), rows[0]
    peaks = {}
    for row in rows:
        peaks[peak_of(row)] = max(peaks.get(peak_of(row), 0), float(row["peak_gflops"]))
    seen = lambda column: ", ".join(sorted({row[column] for row in rows}))
    versions = [f"{RUNTIMES[name][0]} {', '.join(sorted({r['version'] for r in rows if r['runtime'] == name}))}"
                for name in RUNTIMES if any(r["runtime"] == name for r in rows)]
    lines = [f"# Measured on {chart.stem}", "", f"![Time of resnetcc and other runtimes]({chart.name})", "",
             f"{first['cpu']}, {first['cores']} cores, {first['flags']}. Made by `tests/bench/bench.py --record` between "
             f"{dates[0]} and {dates[-1]} UTC, at commit {seen('commit')}. {'; '.join(versions)}.", "",
             "Milliseconds an image, the least of many runs; the runtimes took turns. Ratio: resnetcc's time over that "
             "of the fastest other runtime whose outputs are right, that is, within 1e-4 of the largest output. Times "
             "in parentheses are of outputs that are not. Of 8 bits resnetcc's outputs are ONNX Runtime's to the last bit, and "
             "every runtime counts, for others round otherwise; their peak is that of vpdpbusd, which AMX exceeds. Percent of peak counts the operations of direct convolution, "
             "so that Winograd's algorithm can exceed it; error is resnetcc's largest, relative to the largest output. "
             "The peak was measured between the turns; the best of all counts. Where it varies much, the machine was "
             "not quiet."]
    for (batch, threads), models in cases(rows).items():
        heading = title(batch, threads)
        lines += ["", f"## {heading[0].upper()}{heading[1:]}", "", *page_table(models, peaks)]
    return "\n".join(lines) + "\n"


# ---- the summary: what README shows of the two classes of machines that were measured last ----

def newest_classes(folder):
    """[(class, {model: {runtime: row}}), ...] of batch 1 and one thread, the newest first."""
    found = []
    for file in folder.glob("*.csv"):
        rows = read_csv(file)
        models = cases(rows).get((1, 1), {})
        if "resnet50" in models:
            found.append((max(row["date"] for row in models["resnet50"].values()), file.stem, models))
    return [(name, models) for _, name, models in sorted(found, reverse=True)[:2]]


def summary_cells(models, model):
    own, best = models.get(model, {}).get("resnetcc"), fastest_other(models.get(model, {}).values())
    if not own or not best:
        return ["-", "-", "-"]
    return [milliseconds(own), f"{milliseconds(best)} {RUNTIMES[best['runtime']][0]}", f"{ratio(own, best):.2f}"]


def summary(folder):
    classes = newest_classes(folder)
    cells = [cell for name, _ in classes for cell in (CPUS.get(name.split("-")[0], name), "fastest other", "ratio")]
    lines = ["| | " + " | ".join(cells) + " |", "|---" * (len(cells) + 1) + "|"]
    for model in SUMMARY:
        row = [cell for _, models in classes for cell in summary_cells(models, model)]
        lines.append("| " + " | ".join([NAMES[model], *row]) + " |")
    return "\n".join(lines) + "\n"


# ---- the chart: a panel a batch and number of threads, two side by side ----

WIDTH, LABEL, BAR, GAP, LONGEST = 470, 118, 11, 14, 2.0  # of a panel, in pixels; the longest bar shown
SCALE = (WIDTH - LABEL - 60) / LONGEST
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 } .own { font-weight: 700 }
.paper { fill: #ffffff } .faint { fill: #59636e } .grid { stroke: #d0d7de } .one { stroke: #24292f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.paper { fill: #0d1117 } .faint { fill: #9198a1 } .grid { stroke: #30363d } .one { stroke: #e6edf3 }
}
"""


def text(x, y, content, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{content}</text>'


def bar(y, row, best):
    """Hollow where the outputs are wrong; cut through where too long."""
    colour, value = RUNTIMES[row["runtime"]][1], ratio(row, best)
    length = min(value, LONGEST) * SCALE
    fill = f'fill="{colour}"' if is_correct(row) else f'fill="none" stroke="{colour}" stroke-dasharray="3 2"'
    parts = [f'<rect x="{LABEL}" y="{y + 1}" width="{length:.1f}" height="{BAR - 2}" {fill}/>']
    if value > LONGEST:
        x = LABEL + length - 14
        parts.append(f'<path d="M{x:.1f} {y + BAR} l4 -{BAR} h4 l-4 {BAR} z" class="paper"/>')
    parts.append(text(LABEL + length + 4, y + BAR - 1.5, f"{value:.2f}",
                      "own" if row["runtime"] == "resnetcc" else "faint"))
    return parts


def axis(height):
    parts = []
    for tick in (0, 0.5, 1, 1.5, 2):
        x = LABEL + tick * SCALE
        parts += [f'<path d="M{x:.1f} 26 V{height - 20}" class="{"one" if tick == 1 else "grid"}"/>',
                  text(x, height - 6, f"{tick:g}", "faint", "middle")]
    return parts


def panel(heading, models, height):
    bars = [text(LABEL, 14, heading, "title"), *axis(height)]
    y = 32
    for model, by_runtime in models.items():
        best = fastest_other(by_runtime.values())
        if not best:
            continue
        shown = [by_runtime[name] for name in RUNTIMES if name in by_runtime]
        middle = y + len(shown) * BAR / 2
        one = float(best["min_ms"]) / int(best["batch"])
        bars += [text(LABEL - 8, middle - 2, NAMES.get(model, model), "own", "end"),
                 text(LABEL - 8, middle + 11, f"1 = {one:.3g} ms", "faint", "end")]
        for row in shown:
            bars += bar(y, row, best)
            y += BAR
        y += GAP
    return bars


def panel_height(models):
    return 32 + sum(len(by_runtime) * BAR + GAP for by_runtime in models.values()) + 16


def legend(y):
    parts, x = [], 20
    for name, colour in RUNTIMES.values():
        parts += [f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>', text(x + 15, y, name)]
        x += 35 + 7 * len(name)
    parts += [f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="none" class="one" stroke-dasharray="3 2"/>',
              text(x + 15, y, f"outputs off by more than {TOLERANCE:g} of the largest")]
    return parts


def chart(rows, name):
    body, y = [], 72
    panels = list(cases(rows).items())
    for pair in (panels[i:i + 2] for i in range(0, len(panels), 2)):
        height = max(panel_height(models) for _, models in pair)
        for column, ((batch, threads), models) in enumerate(pair):
            body += [f'<g transform="translate({10 + column * WIDTH} {y})">',
                     *panel(title(batch, threads), models, height), "</g>"]
        y += height + 20
    width = 20 + 2 * WIDTH
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}">',
            f"<style>{STYLE}</style>", f'<rect width="{width}" height="{y}" class="paper"/>',
            text(20, 26, f"Time of a run on {name}, as a multiple of the fastest correct runtime but resnetcc; "
                         "shorter is faster", "title"), *legend(50)]
    return "\n".join([*head, *body, "</svg>"]) + "\n"


def write(file):
    rows = read_csv(file)
    picture = file.with_suffix(".svg")
    picture.write_text(chart(rows, file.stem))
    file.with_suffix(".md").write_text(page(rows, picture))
    file.with_name("summary.md").write_text(summary(file.parent))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for argument in sys.argv[1:]:
        write(pathlib.Path(argument))
