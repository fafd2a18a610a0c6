"""Checking gradients: the rule of every gate against numbers that know no rule.

`probe` says which numbers may be moved at once, `differences` moves them, `kinks` proves why a
difference says nothing, `rule` compares for one gate, `function` and `causes` do it for a whole
function and name the usual reasons of a failure, `report` tells.
"""
