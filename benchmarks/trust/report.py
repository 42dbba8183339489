"""Makes Markdown of the results."""

from __future__ import annotations

from typing import Any

COLUMNS = {
    "S01": "S01 killed in mid-task",
    "S02": "S02 killed with the claim's reply in flight",
    "S05b": "S05 stopped, woken while another runs it",
    "S05a": "S05 stopped, woken after another completed it",
    "S10a": "S10 completion broken before it applied",
    "S10b": "S10 completion broken after it applied",
}


def _recovery(run: dict[str, Any], patience: float) -> str:
    if run["recovered"] < run["at_risk"]:
        return f"> {patience:g} s"
    if run["recovery_max"] is None:
        return "–"
    if run["recovery_max"] - run["recovery_median"] < 1:
        return f"{run['recovery_max']:.1f} s"
    return f"{run['recovery_median']:.1f} s, last {run['recovery_max']:.1f} s"


def cell(name: str, run: dict[str, Any], patience: float) -> str:
    """One run in a few words."""
    if "error" in run:
        return "not measured"
    words = [f"{run['lost']} of {run['tasks']} lost"]
    if run["failed"]:
        words.append(f"{run['failed']} failed")
    if name.startswith("S05"):
        words.append(f"zombie accepted {run['zombies_accepted']} of {run['zombies']}")
    if name.startswith("S10"):
        words.append(f"{run['ran_to_the_end_twice']} done twice")
    if run["results_replaced"] > run.get("zombies_accepted", 0):
        words.append(f"{run['results_replaced']} results replaced")
    if run.get("worker_ended"):
        words.append("worker exited")
    words.append(_recovery(run, patience))
    return "; ".join(words)


def table(results: dict[str, Any]) -> str:
    """All systems and scenarios of a results file."""
    names = [name for name in COLUMNS if any(name in runs for runs in results["runs"].values())]
    lines = [
        "| system | " + " | ".join(COLUMNS[name] for name in names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for system, runs in results["runs"].items():
        cells = [cell(name, runs[name], results["patience"]) if name in runs else "" for name in names]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def settings(results: dict[str, Any]) -> str:
    """Versions and settings, one line a system."""
    lines = []
    for system, facts in results["systems"].items():
        versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
        lines.append(f"- {system}: {versions}; {facts['runtime']}; {facts['settings']}")
    return "\n".join(lines)
