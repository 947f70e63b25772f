"""What asv and Apache Otava say of readings: their own functions, at their own defaults, called for many trials at once.

Reads a JSON list of {"base": [...], "candidate": [...]} and writes a list of 1 (slower), -1 (faster), 0 (no change).
"""

import json
import statistics
import sys


def asv(base, candidate):
    from asv.commands.compare import _is_result_better

    def result(samples):
        # `repeat` other than 1 says that there are enough samples for its test.
        return statistics.median(samples), ({"repeat": len(samples)}, samples)

    (a, a_stats), (b, b_stats) = result(base), result(candidate)
    factor = 1.1  # of `asv continuous` and `asv compare`
    if _is_result_better(a, b, a_stats, b_stats, factor):
        return 1
    return -1 if _is_result_better(b, a, b_stats, a_stats, factor) else 0


def otava(base, candidate):
    from otava.analysis import compute_change_points

    points, _ = compute_change_points(base + candidate)
    if not points:
        return 0
    # The last change point is what a person is told about the newest state.
    stats = points[-1].stats
    return 1 if stats.mean_2 > stats.mean_1 else -1


says = {"asv": asv, "otava": otava}[sys.argv[1]]
json.dump([says(trial["base"], trial["candidate"]) for trial in json.load(sys.stdin)], sys.stdout)
