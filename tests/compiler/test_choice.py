"""Learning which of two ways is quicker."""

from __future__ import annotations

import random

import pytest

from chainrule.compiler.cpu.choice import Choice


def taken(choice: Choice, seconds: tuple[float, float], turns: int, spread: float = 0.1) -> float:
    """Run many turns whose times scatter; return the share of them that took way 1."""
    draw, ways = random.Random(0), []
    for _ in range(turns):
        ways.append(choice.next())
        choice.took(ways[-1], seconds[ways[-1]] * draw.uniform(1, 1 + spread))
    return sum(ways) / turns


def test_the_quicker_way_is_taken_and_the_other_seldom_tried() -> None:
    assert taken(Choice(), (2.0, 1.0), 1000) > 0.98
    assert taken(Choice(), (1.0, 2.0), 1000) < 0.02


def test_about_equal_ways_are_the_first() -> None:
    assert taken(Choice(), (1.0, 1.0), 1000) < 0.1


def test_both_ways_are_tried_at_first() -> None:
    assert 0.3 < taken(Choice(), (1.0, 5.0), 4) < 0.7


def test_threads_that_need_some_turns_to_find_their_data() -> None:
    """A step of less than a millisecond: the first turns of the team are as long as those of one thread."""
    choice, ways = Choice(), [1]
    for _ in range(3000):
        way = choice.next()
        fresh = 0 in ways[-8:]
        choice.took(way, (8e-4, 1e-3 if fresh else 5e-4)[way])
        ways.append(way)
    assert sum(ways[50:]) > 0.95 * len(ways[50:])


def test_a_trial_does_not_end_before_a_long_turn() -> None:
    """Epochs begin with a turn of one iteration, in which threads wake, and one of eight."""
    choice, done = Choice(), [0, 0]
    for turn in range(600):
        way, times = choice.next(), (1, 8, 41)[turn % 3]
        slow = way == 1 and times < 41
        choice.took(way, (1.2e-3, 1.5e-3 if slow else 7e-4)[way], times)
        done[way] += times
    assert done[1] > 0.9 * sum(done)


def test_a_trial_ends_although_turns_of_the_slower_way_hold_fewer_iterations() -> None:
    """Turns of an epoch are cut to 50 ms: five iterations by two threads, two by one."""
    choice, took, done = Choice(), (17e-3, 9e-3), [0, 0]
    for turn in range(30):
        way = choice.next()
        times = 1 if turn % 3 == 0 else int(0.05 / took[way])
        choice.took(way, took[way], times)
        done[way] += times
    assert done[1] > 0.8 * sum(done)


def test_a_change_is_noticed() -> None:
    choice = Choice()
    taken(choice, (2.0, 1.0), 200)
    taken(choice, (2.0, 8.0), 50)
    assert taken(choice, (2.0, 8.0), 100) < 0.1
    taken(choice, (2.0, 1.0), 300)
    assert taken(choice, (2.0, 1.0), 100) > 0.9


def test_one_long_time_changes_nothing() -> None:
    choice = Choice()
    taken(choice, (2.0, 1.0), 100)
    choice.took(choice.next(), 1000.0)
    assert taken(choice, (2.0, 1.0), 10) == 1


def test_short_turns_in_which_threads_wake_do_not_outweigh_long_ones() -> None:
    choice, done = Choice(), [0, 0]
    for turn in range(300):
        way, times = choice.next(), (1, 8, 41)[turn % 3]
        waking = 2.0 if way == 1 and times == 1 else 0.0
        choice.took(way, (1.4, 1.0)[way] + waking, times)
        done[way] += times
    assert done[1] > 0.9 * sum(done)


def test_the_slower_way_is_seldom_tried_where_it_is_much_slower() -> None:
    assert taken(Choice(), (2.0, 1.0), 70) > 0.9


def test_first_trials_beside_other_programs_do_not_decide() -> None:
    choice = Choice()
    taken(choice, (1.0, 1.1), 4)
    assert taken(choice, (1.0, 0.6), 30) > 0.75


def test_a_way_that_seemed_clearly_slower_at_first_is_tried_within_some_turns() -> None:
    choice = Choice()
    taken(choice, (1.0, 1.4), 4)
    taken(choice, (1.0, 0.6), 30)
    assert taken(choice, (1.0, 0.6), 10) == 1


@pytest.mark.parametrize("slower", [1.3, 3.0, 200.0])
def test_trying_again_costs_a_twentieth_of_the_time_at_most(slower: float) -> None:
    choice, lost, turns = Choice(), 0.0, 10_000
    for turn in range(turns):
        way = choice.next()
        choice.took(way, (1.0, slower)[way])
        lost += way * (slower - 1.0) * (turn >= 4)
    assert lost <= 0.05 * turns


def test_a_way_that_could_not_be_tried_is_tried_soon() -> None:
    choice, tried = Choice(), 0
    for turn in range(14):
        way = choice.next()
        tried += way
        if way == 0 or turn > 3:  # at first, the threads are at work elsewhere
            choice.took(way, (2.0, 1.0)[way])
    assert tried > 5
