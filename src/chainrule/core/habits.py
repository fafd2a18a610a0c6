"""Names of NumPy and PyTorch that are tried first on tensors, in the library and as parameters.

Each is answered with what stands for it here. The same for layers is in `nn.habits`.
"""

from __future__ import annotations

_ELSEWHERE = "not needed: everything runs on the CPU"
_FUNCTIONS = (
    "abs broadcast_to ceil cos einsum erf exp expand_dims expm1 flip floor isfinite isnan log log1p "
    "logsumexp matmul maximum minimum moveaxis outer pad power reciprocal rint sign sin split sqrt "
    "square tan tanh tile where"
)

PARAMETERS = {"dim": "axis", "keepdim": "keepdims", "dims": "axes"}

TENSORS = {
    **{name: f"cr.{name}(x, ...), a function" for name in _FUNCTIONS.split()},
    **{name: f"F.{name}(x), of chainrule.nn.functional" for name in ("relu", "sigmoid", "softmax")},
    **dict.fromkeys(("cpu", "cuda", "device", "contiguous"), _ELSEWHERE),
    "add_": "x += y, inside `with cr.no_grad():`",
    "chunk": "cr.split(x, parts, axis)",
    "clone": "cr.tensor(x.detach()) for a copy that stands alone",
    "copy": "cr.tensor(x.detach()) for a copy that stands alone",
    "dim": "x.ndim",
    "double": "x.astype('float64')",
    "expand": "cr.broadcast_to(x, shape)",
    "float": "x.astype('float32')",
    "int": "x.astype('int64')",
    "long": "x.astype('int64')",
    "masked_fill": "cr.where(mask, value, x)",
    "mm": "x @ y",
    "mul_": "x *= y, inside `with cr.no_grad():`",
    "numel": "x.size",
    "permute": "x.transpose(axes)",
    "pow": "x ** p",
    "requires_grad_": "x.requires_grad = True, on a leaf",
    "retain_grad": "not needed: every intermediate keeps its gradient",
    "sub_": "x -= y, inside `with cr.no_grad():`",
    "t": "x.T",
    "to": f"x.astype(dtype); a device is {_ELSEWHERE}",
    "type": "x.astype(dtype)",
    "unsqueeze": "cr.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
    "zero_": "x.assign(0.0), inside `with cr.no_grad():`; a gradient is forgotten by x.grad = None",
    "zero_grad": "x.grad = None, or optimizer.zero_grad() for all parameters",
}

NAMES = {
    **dict.fromkeys(("array", "asarray", "as_tensor", "from_numpy", "FloatTensor"), "cr.tensor(data)"),
    **dict.fromkeys(("Module", "Linear", "Sequential", "Parameter"), "in cr.nn"),
    **dict.fromkeys(("SGD", "Adam", "AdamW"), "in cr.optim"),
    "Trainer": "cr.train.Trainer",
    "Variable": "cr.tensor(data, requires_grad=True)",
    "cat": "cr.concatenate([x, y], axis)",
    "empty": "cr.zeros(shape)",
    "jit": "cr.compile(f)",
    "load": "cr.data.load(name) for data, cr.train.checkpoint.load(path) for weights",
    "manual_seed": "cr.random.seed(n)",
    "mm": "cr.matmul(x, y), or x @ y",
    "ones_like": "cr.ones(x.shape, x.dtype)",
    "permute": "cr.transpose(x, axes)",
    "pow": "cr.power(x, p), or x ** p",
    "rand": "cr.random.uniform(shape)",
    "randint": "cr.random.integers(low, high, shape)",
    "randn": "cr.random.normal(shape)",
    "randperm": "cr.random.permutation(n)",
    "save": "cr.train.checkpoint.save(path, model.state_dict())",
    "unsqueeze": "cr.expand_dims(x, axis)",
    "view": "cr.reshape(x, shape)",
    "zeros_like": "cr.zeros(x.shape, x.dtype)",
}

RANDOM = {
    "choice": "cr.random.permutation(n)[:k], or integers(n, shape=k) with repetition",
    "default_rng": "cr.random.seed(n), for the default stream",
    "manual_seed": "cr.random.seed(n)",
    "rand": "cr.random.uniform(shape), whose shape is a tuple",
    "randint": "cr.random.integers(low, high, shape)",
    "randn": "cr.random.normal(shape), whose shape is a tuple",
    "random": "cr.random.uniform(shape)",
    "shuffle": "x[cr.random.permutation(len(x))]",
}


def habit(known: dict[str, str], name: str) -> str:
    """Return the hint on a name of another library, or '' where none is known."""
    return f"here it is {known[name]}" if name in known else ""
