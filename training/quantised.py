"""shapes-int8: the network of shapes 2 in eight bits, for callers who would rather have a fast answer than the best one. A route of the demo picks it."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

import classifier
import onnxfile
import ops
import pipeline

MODEL, SOURCE = "shapes-int8", ("shapes", "2")
CALIBRATION = 500  # drawings


class Drawings(CalibrationDataReader):
    """Tensors to measure the layers' ranges with: drawings that went through the preprocess of task.yaml, as callers' pictures do."""

    def __init__(self, count):
        task = pipeline.load_task(MODEL)
        pictures, _ = classifier.drawn(count, 2024, task, 0)
        self.left = iter(pipeline.normalise(pictures[i:i + 50], task["preprocess"]) for i in range(0, count, 50))

    def get_next(self):
        batch = next(self.left, None)
        return None if batch is None else {"input": batch}


def quantised(source, pictures=CALIBRATION):
    """The network of a file with weights and activations in eight bits.

    Both are unsigned: with signed weights, processors without VNNI add pairs of products in 16 bits, which overflow, and answer otherwise than those with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_static(source, path, Drawings(pictures), quant_format=QuantFormat.QDQ, per_channel=False, activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QUInt8, calibrate_method=CalibrationMethod.MinMax)
        made = onnx.load(path)
    plain = onnx.helper.make_model(made.graph, opset_imports=[o for o in made.opset_import if not o.domain])
    plain.graph.name = MODEL
    del plain.graph.value_info[:]
    return ops.finished(plain, {"task": "image-classification"})


def make():
    """Writes the model from shapes 2 as it lies there, and measures both on the same drawings."""
    source = pipeline.REPOSITORY / SOURCE[0] / SOURCE[1] / "model.onnx"
    path = onnxfile.save(quantised(source), MODEL, 1)
    task = pipeline.load_task(MODEL)
    held, truth = classifier.drawn(3000, 77, task, 0)
    mine, other = (classifier.chosen(onnxfile.session(p), held, task) for p in (path, source))
    probe = pipeline.normalise(held[:1], task["preprocess"])
    return [("file", f"{path.stat().st_size / 1024:.0f} KiB ({source.stat().st_size / 1024:.0f} in 32 bits)"),
            ("one picture, one core, median", f"{onnxfile.milliseconds(path, probe):.2f} ms ({onnxfile.milliseconds(source, probe):.2f} in 32 bits)"),
            ("accuracy, 3000 held-out drawings, 72 to 420 pixels", f"{(mine == truth).mean():.4f} ({(other == truth).mean():.4f} in 32 bits)"),
            ("same class as in 32 bits", f"{(mine == other).mean():.4f}")]
