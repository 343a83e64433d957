"""Tests of the scripts: python -m unittest discover -s training."""

import io
import json
import unittest

import jax
import numpy as np
import onnx
import onnxruntime
from PIL import Image

import classifier
import detector
import digits
import draw
import golden
import graph
import measure
import onnxfile
import pipeline
import quantised
import scenes
import slow
import stories
from ops import JaxOps, OnnxOps

MODELS = ("shapes", "shapes-detector", "shapes-slow", "shapes-int8", "digits", "iris", "diabetes", "stories")


class Drawing(unittest.TestCase):
    def test_same_seed_same_picture(self):
        a, b = (scenes.single("star", np.random.default_rng(5)) for _ in range(2))
        np.testing.assert_array_equal(a, b)

    def test_boxes_hug_the_paint(self):
        for kind in draw.CLASSES:
            pts = draw.place(kind, 60, np.random.default_rng(1)) + 50
            seen = np.argwhere(draw.mask((100, 100), pts) > 0.5)
            low, high = seen.min(0)[::-1], seen.max(0)[::-1] + 1
            np.testing.assert_allclose(np.concatenate([low, high]), np.concatenate([pts.min(0), pts.max(0)]), atol=2.5, err_msg=kind)
            self.assertAlmostEqual(60, (pts.max(0) - pts.min(0)).max(), places=6)

    def test_boxes_stay_inside_and_apart(self):
        rng = np.random.default_rng(2)
        for _ in range(20):
            pixels, boxes, classes = scenes.several(rng)
            h, w = pixels.shape[:2]
            self.assertEqual(len(boxes), len(classes))
            self.assertTrue((boxes >= 0).all() and (boxes[:, 2::2] <= w).all() and (boxes[:, 1::2] <= h).all())

    def test_unknown_shape_is_named(self):
        with self.assertRaisesRegex(ValueError, "hexagon"):
            draw.outline("hexagon", np.random.default_rng(0))


class Pipeline(unittest.TestCase):
    def test_letterbox_frame(self):
        pixels, frame = pipeline.geometry(np.zeros((351, 527, 3), np.uint8), {"resize": {"mode": "letterbox", "size": [160, 160], "resample": "cv2-linear", "pad": 114}})
        self.assertEqual((160, 160, 3), pixels.shape)
        self.assertEqual((0, 26), frame[2:])  # 107 rows: 26 above, 27 below
        self.assertEqual((114, 0, 0, 114), (pixels[25, 0, 0], pixels[26, 0, 0], pixels[132, 0, 0], pixels[133, 0, 0]))

    def test_shortest_edge_truncates_and_crop_rounds_to_even(self):
        source = np.zeros((97, 131, 3), np.uint8)
        spec = {"resize": {"mode": "shortest-edge", "size": 72, "resample": "pil-bilinear"}}
        self.assertEqual((72, 97, 3), pipeline.geometry(source, spec)[0].shape)  # 72 * 131 / 97 = 97.2
        ramp = np.broadcast_to(np.arange(97, dtype=np.uint8)[None, :, None], (72, 97, 3))
        cut = pipeline.geometry(ramp, dict(spec, crop={"size": [64, 64]}))[0]
        self.assertEqual((64, 64, 3), cut.shape)
        self.assertEqual(16, cut[0, 0, 0])  # (97 - 64) / 2 = 16.5 -> 16

    def test_normalise(self):
        out = pipeline.normalise(np.array([[[0, 255, 51]]], np.uint8), {"scale": "1/255", "mean": [0.5, 0.5, 0], "std": [0.5, 0.25, 1]})
        self.assertEqual((3, 1, 1), out.shape)
        np.testing.assert_allclose(out.ravel(), [-1, 2, 0.2], rtol=1e-6)
        self.assertEqual((1, 1, 2), pipeline.normalise(np.array([[0, 255]], np.uint8), {"scale": "16/255"}).shape)

    def test_exif_is_applied(self):
        rgb = np.zeros((40, 20, 3), np.uint8)
        rgb[:10] = 255
        data = golden.encode("a-rotated.jpg", rgb)
        self.assertEqual((40, 20), Image.open(io.BytesIO(data)).size)
        seen = pipeline.decode(data, pipeline.load_task("shapes"))
        self.assertEqual((40, 20, 3), seen.shape)
        self.assertGreater(seen[:8].mean(), 240)

    def test_nms_is_per_class_and_undoes_the_letterbox(self):
        rows = [(50, 40, 20, 20, .9, .1), (51, 40, 20, 20, .8, .1), (50, 40, 20, 20, .1, .7), (100, 40, 10, 10, .2, .2)]
        task = {"output": {"confidence": 0.25, "iou": 0.45, "max_detections": 10}}
        got = pipeline.detections(np.array(rows).T, (0.5, 0.5, 0, 20), (110, 100), task)
        np.testing.assert_allclose(got, [(80, 20, 110, 60, .9, 0), (80, 20, 110, 60, .7, 1)])

    def test_top_breaks_ties_by_index(self):
        self.assertEqual(["b", "a", "c"], [t["label"] for t in pipeline.top([.2, .6, .2], ["a", "b", "c"], 3)])


class Networks(unittest.TestCase):
    def agree(self, network, given, shape, close):
        params = {}
        x = np.random.default_rng(3).normal(size=(2, *given)).astype(np.float32)
        want = network(JaxOps(params, np.random.default_rng(4)), x)
        o = OnnxOps(jax.tree.map(np.asarray, params))
        network(o, "x")
        h, w, c = given
        data = o.model("t", ("x", [c, h, w]), ("y", shape), {}).SerializeToString()
        got = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x.transpose(0, 3, 1, 2)})[0]
        np.testing.assert_allclose(got, want, atol=close)

    def test_classifier_reads_alike(self):
        self.agree(lambda o, x: classifier.network(o, x, (8, 16), 1, 5), (32, 32, 3), [5], 1e-4)

    def test_digits_reads_alike(self):
        self.agree(digits.network, (8, 8, 1), [10], 1e-4)

    def test_the_slow_model_answers_as_the_network_that_it_is_made_of(self):
        source = onnx.load(pipeline.REPOSITORY / "shapes" / "1" / "model.onnx")
        x = np.random.default_rng(9).normal(size=(2, 3, 64, 64)).astype(np.float32)
        want = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
        made = slow.slowed(source, 3)
        onnx.checker.check_model(made, full_check=True)
        got = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
        np.testing.assert_array_equal(got, want)
        wrote = onnx.load(pipeline.REPOSITORY / "shapes-slow" / "1" / "model.onnx")
        rounds = next(onnx.numpy_helper.to_array(i) for i in wrote.graph.initializer if i.name == "rounds")
        self.assertEqual((slow.ROUNDS, 1), (int(rounds), sum(n.op_type == "Loop" for n in wrote.graph.node)))

    def test_eight_bits_answer_as_thirty_two(self):
        source = pipeline.REPOSITORY / "shapes" / "2" / "model.onnx"
        made = quantised.quantised(source, 50)
        kinds = {n.op_type for n in made.graph.node}
        self.assertTrue({"QuantizeLinear", "DequantizeLinear"} < kinds, kinds)
        self.assertFalse([w.name for w in made.graph.initializer if w.data_type == onnx.TensorProto.FLOAT and np.prod(w.dims) > 1], "weights in 32 bits are left")
        pictures, truth = classifier.drawn(100, 5, pipeline.load_task("shapes"), 0)
        x = pipeline.normalise(pictures, pipeline.load_task("shapes")["preprocess"])
        run = lambda model: onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
        want, got = run(str(source)), run(made.SerializeToString())
        self.assertGreaterEqual((got.argmax(1) == want.argmax(1)).mean(), 0.98)
        self.assertGreater(np.abs(got - want).max(), 0)

    def test_a_step_reads_alike(self):
        rng = np.random.default_rng(12)
        w = stories.start(rng, 5)
        got = onnxruntime.InferenceSession(stories.step_graph(w).SerializeToString(), providers=["CPUExecutionProvider"])
        batch, state, nats = np.array([[0, 3, 1, 4], [0, 2, 2, 1]], np.int32), np.zeros((2, stories.HIDDEN), np.float32), []
        for i in range(3):
            scores, state = got.run(["scores", "next_state"], {"token": batch[:, i].astype(np.int64), "state": state})
            scores = scores - np.log(np.exp(scores).sum(1, keepdims=True))
            nats.append(-np.take_along_axis(scores, batch[:, i + 1:i + 2], 1))
        self.assertAlmostEqual(float(np.mean(nats)), float(stories.loss(jax.tree.map(jax.numpy.asarray, w), batch)), places=5)

    def test_only_true_stories_are_taken_for_such(self):
        for seed in range(200):
            self.assertTrue(stories.true(stories.story(np.random.default_rng(seed))), seed)
        for text in ("", "one and two are four stars.", "a square has four corners.", "the red star has four corners. one and two are three stars.",
                     "the red star is above the red star. the blue star has five corners. one and two are three stars."):
            self.assertFalse(stories.true(text), text)

    def test_every_box_has_a_cell_of_the_right_stride(self):
        centres, strides = detector.cells()
        boxes = np.array([[[10, 10, 26, 24], [20, 30, 140, 150], [0, 0, 0, 0]]], np.float32)
        positive, wanted, kind = map(np.asarray, detector.assign(boxes, np.array([[2, 4, -1]]), centres, strides))
        self.assertEqual({2, 4}, set(kind[positive].tolist()))
        self.assertEqual({8.0}, set(strides[positive[0] & (kind[0] == 2)].ravel().tolist()))
        self.assertEqual({16.0}, set(strides[positive[0] & (kind[0] == 4)].ravel().tolist()))
        inside = centres[positive[0]]
        self.assertTrue(((inside > wanted[0][positive[0]][:, :2]) & (inside < wanted[0][positive[0]][:, 2:])).all())

    def test_overlap(self):
        iou, giou = detector.overlap(np.array([0., 0, 2, 2]), np.array([1., 0, 3, 2]))
        self.assertAlmostEqual(1 / 3, float(iou), places=6)
        self.assertAlmostEqual(1 / 3, float(giou), places=6)
        self.assertAlmostEqual(-0.5, float(detector.overlap(np.array([0., 0, 1, 1]), np.array([3., 0, 4, 1]))[1]), places=6)

    def test_a_perfect_detector_scores_one(self):
        seen = iter([scenes.several(r) for r in [np.random.default_rng(8)] for _ in range(5)])
        task = pipeline.load_task("shapes-detector")

        def oracle(_):
            source, boxes, classes = next(seen)
            sx, sy, left, top = pipeline.geometry(source, task["preprocess"])[1]
            b = boxes * [sx, sy, sx, sy] + [left, top, left, top]
            out = np.zeros((1, 9, 10))
            out[0, :4, :len(b)] = np.stack([(b[:, 0] + b[:, 2]) / 2, (b[:, 1] + b[:, 3]) / 2, b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]])
            out[0, 4 + classes, np.arange(len(b))] = 0.9
            return out

        text = measure.average_precision(oracle, 5, 8, task)
        self.assertIn("mean IoU 1.000, recall 1.0000, 0 false", text)


class Repository(unittest.TestCase):
    def test_files_are_plain_and_batched(self):
        paths = sorted(pipeline.REPOSITORY.glob("*/[0-9]*/model.onnx"))
        self.assertGreaterEqual({p.parts[-3] for p in paths}, set(MODELS))
        for path in paths:
            model = onnx.load(path, load_external_data=False)
            onnx.checker.check_model(model, full_check=True)
            self.assertLessEqual(model.ir_version, 9, path)
            self.assertEqual(17, max(o.version for o in model.opset_import), path)
            self.assertFalse([w.name for w in model.graph.initializer if w.data_location], path)
            for v in [*model.graph.input, *model.graph.output]:
                self.assertEqual("batch", v.type.tensor_type.shape.dim[0].dim_param, path)
            self.assertIn("task", {m.key for m in model.metadata_props}, path)

    def test_golden_answers_hold(self):
        for name in golden.PICTURES:
            task, folder = pipeline.load_task(name), pipeline.REPOSITORY / name / "golden"
            expected = json.loads((folder / "expected.json").read_text())["files"]
            self.assertEqual({p[0] for p in golden.PICTURES[name]}, set(expected))
            for file, want in expected.items():
                got = golden.answers(name, (folder / file).read_bytes(), task)
                self.assertEqual((want["pixels_sha256"], want["tensor_sha256"]), (got["pixels_sha256"], got["tensor_sha256"]), file)
                for version, answer in want["versions"].items():
                    pick = "detections" if "detections" in answer else "predictions"
                    found, told = got["versions"][version][pick], answer[pick]
                    self.assertEqual([t["label"] for t in told], [f["label"] for f in found], file)
                    np.testing.assert_allclose([f["score"] for f in found], [t["score"] for t in told], atol=1e-4)
                    if "detections" in answer:
                        self.assertEqual(sorted(want["holds"]), sorted(t["label"] for t in told), file)
                    else:
                        self.assertEqual(want["holds"][0], told[0]["label"], file)

    def test_texts_hold(self):
        folder = stories.folder()
        expected = json.loads((folder / "golden" / "texts.json").read_text())["texts"]
        self.assertEqual(expected, stories.texts(stories.Session(folder / "1" / "model.onnx")))
        self.assertEqual(expected, stories.texts(stories.served().Network(folder / "1" / "weights.npz")))
        self.assertLess(sum((folder / "1" / name).stat().st_size for name in ("model.onnx", "weights.npz")), 300_000)

    def test_graph_holds(self):
        expected = json.loads((graph.ROOT / "graphs" / "golden" / "find-and-name.json").read_text())["files"]
        found = graph.answers()
        self.assertEqual(set(expected), set(found))
        for file, want in expected.items():
            got = found[file]["detections"]
            self.assertEqual([(d["label"], d["crop"]) for d in want["detections"]], [(d["label"], d["crop"]) for d in got], file)
            for w, g in zip(want["detections"], got):
                self.assertEqual([p["label"] for p in w["predictions"]], [p["label"] for p in g["predictions"]], file)
                np.testing.assert_allclose([p["score"] for p in g["predictions"]], [p["score"] for p in w["predictions"]], atol=1e-4)

    def test_rows_hold(self):
        for name in ("iris", "digits"):
            rows = json.loads((pipeline.REPOSITORY / name / "golden" / "rows.json").read_text())["rows"]
            labels = pipeline.load_task(name)["labels"]
            x = np.array([r["row"] for r in rows], np.float32)
            x = x.reshape(-1, 1, 8, 8) if name == "digits" else x
            got = onnxfile.session(pipeline.REPOSITORY / name / "1" / "model.onnx")(x)
            self.assertEqual([r["prediction"] for r in rows], [labels[i] for i in got.argmax(1)])
        self.assertEqual(150, len(json.loads((pipeline.REPOSITORY / "iris/golden/rows.json").read_text())["rows"]))


if __name__ == "__main__":
    unittest.main()
