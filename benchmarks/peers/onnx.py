"""ONNX Runtime: the graph written node by node, run by its own session."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from benchmarks import nets
from benchmarks.nets import Layer, Net

ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


class Predictor:
    """A net that scores samples."""

    def __init__(self, net: Net, x: np.ndarray, mode: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(
            written(net, len(x)), options, providers=["CPUExecutionProvider"]
        )
        self.feed = {"x": x}

    def sample(self) -> np.ndarray:
        """Return the scores."""
        return self.session.run(None, self.feed)[0]


def written(net: Net, batch: int) -> bytes:
    """Return a chain of layers (no Residual, no BatchNorm) as an ONNX file for `batch` samples."""
    nodes: list[NodeProto] = []
    weights, constants = iter(net.weights()), []
    for place, layer in enumerate(net.layers):
        names = [f"w{place}", f"b{place}"][: _weights(layer)]
        constants += [numpy_helper.from_array(next(weights), name) for name in names]
        nodes.append(_node(layer, [f"h{place}" if place else "x", *names], f"h{place + 1}"))
    nodes[-1].output[0] = "scores"
    graph = helper.make_graph(
        nodes,
        net.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *net.shape))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, (batch, net.classes))],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def _weights(layer: Layer) -> int:
    return 1 + layer.bias if isinstance(layer, nets.Linear | nets.Conv) else 0


def _node(layer: Layer, inputs: list[str], output: str) -> NodeProto:
    match layer:
        case nets.Linear():
            return helper.make_node("Gemm", inputs, [output], transB=1)
        case nets.Conv():
            pads, strides = [layer.padding] * 4, [layer.stride] * 2
            return helper.make_node("Conv", inputs, [output], pads=pads, strides=strides)
        case nets.Activation(name):
            return helper.make_node(ACTIVATIONS[name], inputs, [output])
        case nets.MaxPool(size):
            window = [size] * 2
            return helper.make_node("MaxPool", inputs, [output], kernel_shape=window, strides=window)
        case nets.Flatten():
            return helper.make_node("Flatten", inputs, [output])
    raise NotImplementedError(f"{layer} in ONNX")
