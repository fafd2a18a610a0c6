"""Names that users of other libraries try first, and what stands for them here.

Names of modules are asked for in `nn`, methods on a model; the answers are hints of errors.
"""

from __future__ import annotations

HABITS = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "a loop over time in forward, of nn.Linear layers"),
    **dict.fromkeys(("DataParallel", "DistributedDataParallel"), "not needed: threads share each step"),
    "Dense": "nn.Linear(in_features, out_features): the inputs come first, activations are layers",
    "Conv1D": "nn.Conv1d(in_channels, out_channels, kernel_size), on (n, channels, length)",
    "Conv2D": "nn.Conv2d(in_channels, out_channels, kernel_size), on (n, channels, height, width)",
    "MaxPooling2D": "nn.MaxPool2d(kernel_size, stride)",
    "MaxPool2D": "nn.MaxPool2d(kernel_size, stride)",
    "AveragePooling2D": "nn.AvgPool2d(kernel_size, stride)",
    "GlobalAveragePooling2D": "nn.AdaptiveAvgPool2d(1), then nn.Flatten()",
    "BatchNormalization": "nn.BatchNorm1d(num_features) or nn.BatchNorm2d(num_features)",
    "LayerNormalization": "nn.LayerNorm(normalized_shape)",
    "SpatialDropout2D": "nn.Dropout2d(p)",
    "Activation": "a layer each: nn.ReLU(), nn.Tanh(), nn.Sigmoid(), ...",
    "Input": "not needed: layers say what they take, as in nn.Linear(in_features, out_features)",
    "InputLayer": "not needed: layers say what they take, as in nn.Linear(in_features, out_features)",
    "Layer": "nn.Module: make parts in __init__, use them in forward",
    "Model": "nn.Module: make parts in __init__, use them in forward",
    "Swish": "nn.SiLU()",
    "ModuleDict": "nn.ModuleList, or attributes of the module",
    "MultiheadAttention": "F.softmax(q @ k.swapaxes(-1, -2) / d**0.5, dim=-1) @ v, of nn.Linear layers",
    "ZeroPad2d": "F.pad(x, (left, right, top, bottom)), of nn.functional",
    "utils": "optim.clip_grad_norm_(parameters, max_norm), of chainrule.optim",
    "DropPath": "nn.StochasticDepth(p, mode='row')",
}

METHODS = {
    "fit": "chainrule.train.Trainer(model, loss, optimizer).fit(train, validation)",
    "predict": "model.eval()(x), or chainrule.train.Trainer(model, loss, optimizer).predict(x)",
    "evaluate": "chainrule.train.Trainer(model, loss, optimizer).evaluate((x, y))",
    "compile": "cr.compile(step), on a function; a Trainer does so by itself",
    "summary": "print(model), or print(nn.summary(model, (1, ...))) for output shapes",
    "save": "chainrule.train.checkpoint.save(path, model.state_dict())",
    "load": "model.load_state_dict(chainrule.train.checkpoint.load(path))",
    **dict.fromkeys(("cuda", "cpu", "share_memory"), "not needed: everything runs on the CPU"),
    **dict.fromkeys(
        ("register_full_backward_hook", "register_backward_hook"),
        "register_forward_hook; gradients are in .grad of every tensor after backward()",
    ),
}
