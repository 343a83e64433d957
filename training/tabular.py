"""iris and diabetes: scikit-learn pipelines, converted by skl2onnx without ZipMap."""

import json

import numpy as np
from onnx import helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxfile
import ops
import pipeline


def convert(model, columns, keep, rename, options=None):
    """ONNX of a fitted pipeline with one input `input` [batch, columns] and the single output `keep`, named `rename`."""
    onnx_model = convert_sklearn(model, initial_types=[("input", FloatTensorType([None, columns]))],
                                 target_opset={"": 17, "ai.onnx.ml": 3}, options=options)
    graph = onnx_model.graph
    opsets = {o.domain: o.version for o in onnx_model.opset_import}
    del onnx_model.opset_import[:]
    onnx_model.opset_import.extend(helper.make_opsetid(d, v) for d, v in sorted(opsets.items()))
    for node in graph.node:
        node.output[:] = [rename if name == keep else name for name in node.output]
    kept = [o for o in graph.output if o.name == keep]
    del graph.output[:]
    graph.output.extend(kept)
    graph.output[0].name = rename
    graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    while True:
        used = {i for n in graph.node for i in n.input} | {rename}
        idle = [n for n in graph.node if not used & set(n.output)]
        if not idle:
            return onnx_model
        for n in idle:
            graph.node.remove(n)


def iris():
    """Trains on all 150 flowers, writes the model and golden/rows.json, checks that no prediction differs."""
    task, data = pipeline.load_task("iris"), load_iris()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=1000))
    cross = float((cross_val_predict(model, data.data, data.target, cv=10) == data.target).mean())
    model.fit(data.data, data.target)
    meta = {"task": task["task"], "names": dict(enumerate(task["labels"]))}
    made = convert(model, 4, "probabilities", "probabilities", {id(model): {"zipmap": False}})
    path = onnxfile.save(ops.finished(made, meta), "iris", 1)
    got, own = onnxfile.session(path)(data.data), model.predict_proba(data.data)
    predicted = model.predict(data.data)
    same = int((got.argmax(1) == predicted).sum())
    if same != 150:
        raise AssertionError(f"{same} of 150 predictions equal scikit-learn's")
    write_rows("iris", [{"row": row, "prediction": task["labels"][p], "probabilities": prob, "truth": task["labels"][t]}
                        for row, p, prob, t in zip(data.data.tolist(), predicted, own.tolist(), data.target)])
    return [("predictions equal to scikit-learn's", f"{same} of 150"),
            ("probabilities, largest difference", f"{onnxfile.differ(got, own):.1e}"),
            ("accuracy, 10-fold cross-validation", f"{cross:.4f}"), ("file", f"{path.stat().st_size / 1024:.1f} KiB"),
            ("one row, one core, median", f"{onnxfile.milliseconds(path, data.data[:1]):.3f} ms")]


def diabetes():
    """Ridge regression on the unscaled columns; writes the model and golden/rows.json."""
    task, data = pipeline.load_task("diabetes"), load_diabetes(scaled=False)
    if list(data.feature_names) != task["input"]["columns"]:
        raise AssertionError(f"task.yaml names {task['input']['columns']}, scikit-learn {list(data.feature_names)}")
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 30)))
    guess = cross_val_predict(model, data.data, data.target, cv=10)
    model.fit(data.data, data.target)
    path = onnxfile.save(ops.finished(convert(model, 10, "variable", "value"), {"task": task["task"]}), "diabetes", 1)
    got, own = onnxfile.session(path)(data.data)[:, 0], model.predict(data.data)
    worst = onnxfile.differ(got, own, 1e-2)
    write_rows("diabetes", [{"row": row, "value": float(v), "truth": float(t)}
                            for row, v, t in list(zip(data.data.tolist(), own, data.target))[:60]])
    error, spread = np.abs(guess - data.target).mean(), 1 - ((guess - data.target) ** 2).sum() / ((data.target - data.target.mean()) ** 2).sum()
    return [("values, largest difference from scikit-learn's", f"{worst:.1e}"),
            ("10-fold cross-validation", f"R2 {spread:.3f}, mean absolute error {error:.1f} (targets run from {data.target.min():.0f} to {data.target.max():.0f})"),
            ("file", f"{path.stat().st_size / 1024:.1f} KiB"),
            ("one row, one core, median", f"{onnxfile.milliseconds(path, data.data[:1]):.3f} ms")]


def write_rows(model, rows):
    """golden/rows.json: what scikit-learn itself (float64) answers for each row."""
    folder = pipeline.REPOSITORY / model / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    body = ",\n".join(json.dumps(r) for r in rows)
    columns = json.dumps(pipeline.load_task(model)["input"]["columns"])
    (folder / "rows.json").write_text(f'{{"columns": {columns},\n"rows": [\n{body}\n]}}\n')
