"""One description of a network, two readers: JaxOps trains it, OnnxOps writes it out as an ONNX graph.

Activations are NHWC in JAX and NCHW in ONNX; a network only uses the methods that both readers have.
Convolutions are weight-standardised (Qiao et al. 2019, arXiv:1903.10520), which needs no running
statistics and folds into plain weights on export.
"""

import jax
import jax.numpy as jnp
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def standardise(p):
    """Effective convolution weight [kh, kw, cin, cout] from its raw weight and gain."""
    w = p["w"]
    if "gain" not in p:
        return w
    fan = w.shape[0] * w.shape[1] * w.shape[2]
    w = (w - w.mean((0, 1, 2))) / jnp.sqrt(w.var((0, 1, 2)) + 1e-6)
    return w * p["gain"] * (2.0 / fan) ** 0.5


class JaxOps:
    """Runs the network; with `rng` it first makes the parameters that are missing."""

    def __init__(self, params, rng=None):
        self.params, self.rng = params, rng

    def conv(self, x, name, cout, kernel=3, stride=1, relu=True, plain=False):
        if self.rng is not None:
            shape = (kernel, kernel, x.shape[-1], cout)
            w = self.rng.normal(0, 1, shape).astype(np.float32)
            p = {"w": w * 0.01, "b": np.zeros(cout, np.float32)} if plain else \
                {"w": w * 0.05, "b": np.zeros(cout, np.float32), "gain": np.ones(cout, np.float32)}
            self.params[name] = p
        p, pad = self.params[name], kernel // 2
        y = jax.lax.conv_general_dilated(x, standardise(p), (stride, stride), ((pad, pad), (pad, pad)),
                                         dimension_numbers=("NHWC", "HWIO", "NHWC")) + p["b"]
        return jax.nn.relu(y) if relu else y

    def dense(self, x, name, cout, relu=False):
        if self.rng is not None:
            w = self.rng.normal(0, (2.0 / x.shape[-1]) ** 0.5, (x.shape[-1], cout)).astype(np.float32)
            self.params[name] = {"w": w, "b": np.zeros(cout, np.float32)}
        y = x @ self.params[name]["w"] + self.params[name]["b"]
        return jax.nn.relu(y) if relu else y

    def add(self, x, y):
        return x + y

    def concat(self, x, y):
        return jnp.concatenate([x, y], -1)

    def double(self, x):
        return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)

    def mean(self, x):
        return x.mean((1, 2))

    def flatten(self, x):
        return x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1)


class OnnxOps:
    """Writes the same network as ONNX nodes; values are names of tensors."""

    def __init__(self, params):
        self.params, self.nodes, self.weights = params, [], []

    def const(self, name, array):
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind, inputs, outputs=None, **attributes):
        outputs = outputs or [f"{kind.lower()}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def conv(self, x, name, cout, kernel=3, stride=1, relu=True, plain=False):
        p, pad = self.params[name], kernel // 2
        w = np.asarray(standardise(p), np.float32).transpose(3, 2, 0, 1)
        y = self.node("Conv", [x, self.const(f"{name}.w", w), self.const(f"{name}.b", np.asarray(p["b"]))],
                      kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[pad] * 4)
        return self.node("Relu", [y]) if relu else y

    def dense(self, x, name, cout, relu=False):
        p = self.params[name]
        y = self.node("Gemm", [x, self.const(f"{name}.w", np.asarray(p["w"])), self.const(f"{name}.b", np.asarray(p["b"]))])
        return self.node("Relu", [y]) if relu else y

    def add(self, x, y):
        return self.node("Add", [x, y])

    def concat(self, x, y):
        return self.node("Concat", [x, y], axis=1)

    def double(self, x):
        scales = self.const(f"scales_{len(self.nodes)}", np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")

    def mean(self, x):
        return self.node("Flatten", [self.node("GlobalAveragePool", [x])])

    def flatten(self, x):
        return self.node("Flatten", [x])

    def model(self, name, given, answered, metadata):
        """ModelProto; given and answered are (name, shape) pairs, the batch is dynamic. The last node's output is the answer."""
        self.nodes[-1].output[0] = answered[0]
        make = lambda v: helper.make_tensor_value_info(v[0], TensorProto.FLOAT, ["batch", *v[1]])
        graph = helper.make_graph(self.nodes, name, [make(given)], [make(answered)], self.weights)
        return finished(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), metadata)


def finished(model, metadata):
    """Fixes the header of a model: IR version, producer, metadata."""
    model.ir_version = 8
    model.producer_name, model.producer_version = "triton-gateway training", "1"
    del model.metadata_props[:]
    helper.set_model_props(model, {k: str(v) for k, v in metadata.items()})
    return model
