"""``jobbers telemetry``."""

from __future__ import annotations

from pathlib import Path


def test_live_granularity(jobbers, shop: Path) -> None:
    assert jobbers("telemetry").out.startswith("nothing is set live\n")
    answer = jobbers("telemetry", "set", "s*=0.25", "gone*=off")
    assert answer.out.startswith("set live: s*=0.25, gone*=off\n")
    assert "'gone*' fits no task type of this application" in answer.err
    told = jobbers("telemetry", "--json").data
    assert (told["rules"], told["idle"]) == ("s*=0.25, gone*=off", ["gone*"])
    assert set(told["types"].values()) == {"auto", "0.25"}
    assert "telemetry must be" in jobbers("telemetry", "set", "s*=loud", code=2).err
    assert jobbers("telemetry", "reset", "--json").data["rules"] == ""
    assert "nothing to reset" in jobbers("telemetry", "reset", code=3).err
    noted = jobbers("audit").out
    assert "telemetry.set" in noted
    assert "telemetry.reset" in noted
