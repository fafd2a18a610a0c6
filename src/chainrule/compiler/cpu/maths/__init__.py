"""What happens to one number, as instructions.

`whole` and `real` are NumPy's arithmetic, bit for bit; `elementary` the functions that are approximated,
each by a range reduction and a polynomial, without branches. None of it knows expressions or arrays.
"""
