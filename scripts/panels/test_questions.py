import http.server
import json
import math
import threading
import unittest

from questions import Prometheus, amount, fill, legend, panels


def panel(kind, title, y, h):
    return {"type": kind, "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": h}}


class Questions(unittest.TestCase):
    board = {"panels": [panel("row", "A", 0, 1), panel("stat", "a", 1, 4), panel("row", "B", 5, 1), panel("stat", "b", 6, 8), panel("row", "C", 14, 1), panel("stat", "c", 15, 8)]}

    def test_rows_that_are_left_out_leave_no_gap(self):
        self.assertEqual([(p["title"], p["gridPos"]["y"]) for p in panels(self.board, ["A", "C"])], [("A", 0), ("a", 1), ("C", 5), ("c", 6)])
        self.assertEqual([p["gridPos"]["y"] for p in panels(self.board, ["B"])], [0, 1])
        self.assertEqual(panels(self.board, []), self.board["panels"])
        with self.assertRaisesRegex(SystemExit, "no row D"):
            panels(self.board, ["A", "D"])

    def test_variables(self):
        self.assertEqual(fill('x{job="$job", j="$jobs"}[$__rate_interval]', {"job": "a", "jobs": "b", "__rate_interval": "5s"}), 'x{job="a", j="b"}[5s]')

    def test_legend(self):
        self.assertEqual(legend("{{ code }} {{route}}", {"code": "500"}), "500")
        self.assertEqual(legend("5 min", {}), "5 min")

    def test_amounts(self):
        for value, unit, want in (
            (0.1234, "percentunit", "12.3 %"), (0.0005, "s", "500 µs"), (0.25, "s", "250 ms"), (12, "s", "12 s"), (0, "s", "0"), (2500, "µs", "2.5 ms"),
            (1 << 20, "bytes", "1 MiB"), (1536, "Bps", "1.5 KiB/s"), (12, "bytes", "12 B"), (1234, "reqps", "1.23 K req/s"), (0.5, "reqps", "0.5 req/s"),
            (2_000_000, "short", "2 M"), (7, "short", "7"), (math.nan, "s", "-"), (None, "short", "-"), (999.9, "short", "1000"),
        ):
            self.assertEqual(amount(value, unit), want, (value, unit))

    def test_prometheus_is_asked(self):
        asked = []

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                ranged = "query_range" in self.path
                series = {"metric": {"a": "b"}, "values": [[1, "2"], [2, "NaN"]]} if ranged else {"metric": {}, "value": [9, "3"]}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"data": {"result": [series]}}).encode())

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            prometheus = Prometheus(f"http://127.0.0.1:{server.server_port}")
            (labels, moments, values), = prometheus.over_time("x > 1", 1, 2, 1)
            self.assertEqual(list(prometheus.at("y", 9)), [({}, 3.0)])
            server.shutdown()
            thread.join()
        self.assertEqual((labels, moments, values[0], math.isnan(values[1])), ({"a": "b"}, [1.0, 2.0], 2.0, True))
        self.assertEqual(asked, ["/api/v1/query_range?query=x+%3E+1&start=1&end=2&step=1", "/api/v1/query?query=y&time=9"])


if __name__ == "__main__":
    unittest.main()
