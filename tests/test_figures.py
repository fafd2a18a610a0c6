"""Figures, whatever the machine that draws them."""

from __future__ import annotations

import itertools

import pytest

from chainrule.figures import blank, legend, png


def test_no_warning_on_a_machine_that_takes_its_time_for_a_legend(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("matplotlib.legend.time.perf_counter", itertools.count(0.0, 2.0).__next__)
    axes = blank(3, 2).add_subplot()
    axes.plot([0, 1], label="a line")
    legend(axes)
    assert png(axes.figure).startswith(b"\x89PNG")
