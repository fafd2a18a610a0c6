"""The command line: one file a verb, over the packages below, which do the work.

Only here are rich and typer imported. What is told on the screen is put together here, what it says
comes from `train` and `data`.
"""
