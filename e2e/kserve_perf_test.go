package e2e

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

// longEnv set to 1 runs what takes minutes.
const longEnv = "TRITON_GATEWAY_LONG"

// perf runs perf_analyzer over each way of asking; how fast it goes is no matter here.
func perf(t *testing.T, gateway side) {
	short := [][]string{
		{"-m", "classes", "-i", "grpc", "--concurrency-range", "4"},
		{"-m", "classes", "-i", "http", "--concurrency-range", "4"},
		{"-m", "classes", "-i", "grpc", "--async", "--concurrency-range", "16", "-b", "8"},
		{"-m", "one", "-i", "grpc", "--async", "--streaming", "--concurrency-range", "4", "--shape", "in_FP32:150528"},
		{"-m", "one", "-i", "http", "--async", "--request-rate-range", "30", "--shape", "in_FP32:16"},
		append(imageData(t, gateway), "-i", "grpc", "--concurrency-range", "2", "--request-parameter", "cache:no-store:string"),
		append(imageData(t, gateway), "-i", "http", "--async", "--concurrency-range", "2"),
	}
	if os.Getenv(longEnv) == "1" {
		short = matrix(t, gateway)
	}
	for _, args := range short {
		named := slices.DeleteFunc(slices.Clone(args), filepath.IsAbs)
		t.Run(strings.Join(named, " "), func(t *testing.T) { analyze(t, gateway, args...) })
	}
}

// matrix is every way: protocol, model, mode, pace.
func matrix(t *testing.T, gateway side) (all [][]string) {
	models := [][]string{{"-m", "classes"}, {"-m", "classes", "-b", "32"}, {"-m", "one", "--shape", "in_FP32:4"}, {"-m", "one", "--shape", "in_FP32:150528"}, imageData(t, gateway)}
	modes := [][]string{{"-i", "grpc"}, {"-i", "http"}, {"-i", "grpc", "--async"}, {"-i", "http", "--async"}, {"-i", "grpc", "--async", "--streaming"}}
	paces := [][]string{{"--concurrency-range", "1"}, {"--concurrency-range", "4"}, {"--concurrency-range", "16"}, {"--request-rate-range", "30"}}
	for _, model := range models {
		for _, mode := range modes {
			for _, pace := range paces {
				all = append(all, append(append(append([]string{}, model...), mode...), pace...))
			}
		}
	}
	return all
}

var (
	throughput = regexp.MustCompile(`(?m)^\s+Throughput: ([\d.]+) infer/sec`)
	requests   = regexp.MustCompile(`(?m)^\s+Request count: (\d+)`)
	trouble    = regexp.MustCompile(`(?i)\b(failed|error|errors|exception|unable)\b.*`)
	// What perf_analyzer says where two of its own readings of the clock stand in the wrong order, as they may where it is held up between them.
	clocks = regexp.MustCompile(`(?m)^.*Timer not set correctly.*$`)
	// What callers are told who come at their own rate, on a machine that cannot keep up with it.
	refusals = regexp.MustCompile(`(?m)^.*run or wait already.*come again later.*$`)
)

// analyze runs perf_analyzer once, for windows of 40 calls until three in a row have been like each other: it has to end well, to have counted answers, and to say nothing of errors. With --request-count
// it waits for ever where all of them were answered before it began to count, as cached ones are on a busy machine.
func analyze(t *testing.T, gateway side, args ...string) {
	t.Helper()
	const least = 8
	address := gateway.grpc
	for i, a := range args {
		if a == "-i" && args[i+1] == "http" {
			address = gateway.http
		}
	}
	process := parts.Start(t, parts.PerfAnalyzer(t, append(args, "-u", address, "--measurement-mode", "count_windows", "--measurement-request-count", "40", "-s", "999", "-r", "10")...))
	code, log := process.Exit(), process.Log()
	log = clocks.ReplaceAllString(log, "")
	if slices.Contains(args, "--request-rate-range") {
		log = refusals.ReplaceAllString(log, "")
	}
	rate, count := throughput.FindStringSubmatch(log), requests.FindStringSubmatch(log)
	if code != 0 || rate == nil || count == nil || trouble.MatchString(log) {
		t.Fatalf("exit status %d:\n%s", code, log)
	}
	if n, _ := strconv.Atoi(count[1]); n < least {
		t.Errorf("%d requests answered:\n%s", n, log)
	}
	if r, _ := strconv.ParseFloat(rate[1], 64); r <= 0 {
		t.Errorf("no inferences:\n%s", log)
	}
}

// imageData is the flags for the model shapes.image, which takes the bytes of picture files.
func imageData(t *testing.T, gateway side) []string {
	t.Helper()
	const model = "shapes.image"
	var about struct {
		Inputs []struct{ Name, Datatype string }
	}
	r := do(t, "GET", "http://"+gateway.http+"/v2/models/"+model, "", nil)
	if err := json.Unmarshal(r.body, &about); err != nil || len(about.Inputs) != 1 || about.Inputs[0].Datatype != "BYTES" {
		t.Fatalf("%s has not one input of BYTES: %v %s", model, err, r.body)
	}
	var rows []map[string]any
	for _, name := range []string{"circle-2.jpg", "star-1.jpg", "square-1.png", "cross-1.webp"} {
		file := picture(t, name)
		element := append(binary.LittleEndian.AppendUint32(nil, uint32(len(file))), file...)
		rows = append(rows, map[string]any{about.Inputs[0].Name: map[string]any{"b64": base64.StdEncoding.EncodeToString(element), "shape": []int{1}}})
	}
	path := filepath.Join(t.TempDir(), "pictures.json")
	if err := os.WriteFile(path, []byte(mustJSON(map[string]any{"data": rows})), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"-m", model, "--input-data", path}
}
