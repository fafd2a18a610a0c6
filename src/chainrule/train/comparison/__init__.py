"""Comparisons: the classifiers of the lecture on one data set, in one table, with one piece of advice.

The ladder from nearest centroid to a conv net, accuracy against the amount of data, searches for
weights, and regularisers; each shares a time budget, tells what it leaves out, and keeps what is
done when it is stopped. Screens and options are the command line's business.
"""
