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

_DTYPES = "bool float16 int8 int32 int64 uint8"
_LAYERS = "log_softmax relu sigmoid softmax"
_REDUCTION = "reduction, which is 'mean', 'sum' or 'none'"
_ONE_CALL = "not needed: compiled, a step is one native call"

# Parameters that may be meant by a name: the first that there is.
PARAMETERS = {
    "axis": ("dim",),
    "callbacks": ("watchers",),
    "correction": ("ddof",),
    "decay": ("weight_decay",),
    "dim": ("axis",),
    "dim0": ("axis1",),
    "dim1": ("axis2",),
    "dims": ("axis", "axes"),
    "keepdim": ("keepdims",),
    "learning_rate": ("lr",),
    "max": ("a_max",),
    "min": ("a_min",),
    "size": ("shape",),
    "steps": ("num",),
    "unbiased": ("ddof",),
    "validation_data": ("validation",),
}

# Parameters that there are not, and why.
ABSENT = {
    "create_graph": "not needed: what cr.grad(f) gives differentiates again",
    "device": _ELSEWHERE,
    "foreach": _ONE_CALL,
    "fused": _ONE_CALL,
    "inplace": "not needed: ops give new tensors",
    "reduce": _REDUCTION,
    "retain_graph": "not needed: a graph is there as long as its result",
    "size_average": _REDUCTION,
    "start_dim": "x.reshape(len(x), -1), or nn.Flatten()",
}

# What one argument too many is meant for.
SURPLUS = {
    **{name: f"{name}(x, (2, 3)): several are a tuple" for name in ("broadcast_to", "reshape", "transpose")},
    "ravel": "x.reshape(len(x), -1) keeps the first axis, as nn.Flatten() does",
}

TENSORS = {
    **{name: f"cr.{name}(x, ...), a function" for name in _FUNCTIONS.split()},
    **{name: f"F.{name}(x), of chainrule.nn.functional" for name in _LAYERS.split()},
    **dict.fromkeys(("cpu", "cuda", "device", "contiguous", "is_cuda", "pin_memory"), _ELSEWHERE),
    **dict.fromkeys(("fill", "fill_"), "x.assign(value), inside `with cr.no_grad():`"),
    **dict.fromkeys(("normal_", "uniform_"), "a function: nn.init.normal_(x)"),
    **dict.fromkeys(("bmm", "mm"), "x @ y"),
    **dict.fromkeys(("nelement", "numel"), "x.size"),
    **dict.fromkeys(("new_zeros", "zeros_like"), "cr.zeros(shape)"),
    **dict.fromkeys(("sort", "argsort", "topk"), "x[np.argsort(x)], in ascending order"),
    "add": "x + y",
    "add_": "x += y, inside `with cr.no_grad():`",
    "bool": "x.astype('bool')",
    "chunk": "cr.split(x, parts, axis)",
    "clamp": "x.clip(a_min, a_max)",
    "clamp_": "x.assign(x.clip(a_min, a_max)), inside `with cr.no_grad():`",
    "clone": "cr.tensor(x.detach()) for a copy that stands alone",
    "copy_": "x.assign(y), inside `with cr.no_grad():`",
    "copy": "cr.tensor(x.detach()) for a copy that stands alone",
    "dim": "x.ndim",
    "div": "x / y",
    "double": "x.astype('float64')",
    "eq": "x == y",
    "equal": "np.array_equal(x, y)",
    "expand": "cr.broadcast_to(x, shape)",
    "float": "x.astype('float32')",
    "gather": "x[np.arange(len(x)), places], one of each row",
    "grad_fn": "x.op, and x.inputs",
    "index_select": "x.take(places, axis)",
    "int": "x.astype('int64')",
    "long": "x.astype('int64')",
    "masked_fill": "cr.where(mask, value, x)",
    "mul": "x * y",
    "mul_": "x *= y, inside `with cr.no_grad():`",
    "norm": "cr.sqrt((x ** 2).sum(axis))",
    "permute": "x.transpose(axes)",
    "pow": "x ** p",
    "requires_grad_": "x.requires_grad = True, on a leaf",
    "retain_grad": "not needed: every intermediate keeps its gradient",
    "register_hook": "x.grad after backward(), which every intermediate has",
    "sub": "x - y",
    "sub_": "x -= y, inside `with cr.no_grad():`",
    "t": "x.T",
    "to": f"x.astype(dtype); a device is {_ELSEWHERE}",
    "type_as": "x.astype(y.dtype)",
    "type": "x.astype(dtype)",
    "unsqueeze": "cr.expand_dims(x, axis)",
    "view": "x.reshape(shape)",
    "view_as": "x.reshape(y.shape)",
    "zero_": "x.assign(0.0), inside `with cr.no_grad():`; a gradient is forgotten by x.grad = None",
    "zero_grad": "x.grad = None, or optimizer.zero_grad() for all parameters",
}

NAMES = {
    **dict.fromkeys(("array", "asarray", "as_tensor", "from_numpy", "FloatTensor"), "cr.tensor(data)"),
    **dict.fromkeys(("amp", "backends", "cuda", "device", "distributed"), _ELSEWHERE),
    **dict.fromkeys(("autograd", "func"), "cr.grad(f), of a function f"),
    **dict.fromkeys(("inference_mode", "set_grad_enabled"), "cr.no_grad()"),
    **{name: f"the word '{name}', as in x.astype('{name}')" for name in _DTYPES.split()},
    **dict.fromkeys(("int", "long"), "the word 'int64', as in x.astype('int64')"),
    **dict.fromkeys(("sort", "argsort", "topk"), "x[np.argsort(x)], in ascending order"),
    **{name: f"cr.random.{name}" for name in ("bernoulli", "normal")},
    **dict.fromkeys(("Module", "Linear", "Sequential", "Parameter"), "in cr.nn"),
    **dict.fromkeys(("SGD", "Adam", "AdamW"), "in cr.optim"),
    "Trainer": "cr.train.Trainer",
    "Variable": "cr.tensor(data, requires_grad=True)",
    "bmm": "cr.matmul(x, y), or x @ y",
    "cat": "cr.concatenate([x, y], axis)",
    "chunk": "cr.split(x, parts, axis)",
    "clamp": "cr.clip(x, a_min, a_max)",
    "double": "cr.float64",
    "empty": "cr.zeros(shape)",
    "eq": "cr.equal(x, y), or x == y",
    "flatten": "x.reshape(len(x), -1), or x.ravel()",
    "float": "cr.float32",
    "gather": "x[np.arange(len(x)), places], one of each row",
    "hstack": "cr.concatenate([x, y], axis)",
    "index_select": "cr.take(x, places, axis)",
    "is_tensor": "isinstance(x, cr.Tensor)",
    "jit": "cr.compile(f)",
    "LongTensor": "cr.tensor(data, 'int64')",
    "load": "cr.data.load(name) for data, cr.train.checkpoint.load(path) for weights",
    "manual_seed": "cr.random.seed(n)",
    "mm": "cr.matmul(x, y), or x @ y",
    "norm": "cr.sqrt((x ** 2).sum(axis))",
    "numel": "x.size",
    "ones_like": "cr.ones(x.shape, x.dtype)",
    "permute": "cr.transpose(x, axes)",
    "pow": "cr.power(x, p), or x ** p",
    "rand": "cr.random.uniform(shape)",
    "randint": "cr.random.integers(low, high, shape)",
    "randn": "cr.random.normal(shape)",
    "randperm": "cr.random.permutation(n)",
    "save": "cr.train.checkpoint.save(path, model.state_dict())",
    "unsqueeze": "cr.expand_dims(x, axis)",
    "utils": "cr.data.Batches(x, y, batch_size), for a DataLoader",
    "view": "cr.reshape(x, shape)",
    "vstack": "cr.concatenate([x, y], axis)",
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
