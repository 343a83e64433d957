package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// sigtermRounds is how often the test is done; SIGTERM_ROUNDS in the environment asks for more.
func sigtermRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SIGTERM_ROUNDS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SIGTERM_ROUNDS=%q is no number", text)
	}
	return n
}

// tally is what a round's clients saw.
type tally struct {
	answered, lost atomic.Int64
	after          atomic.Int64 // answered after SIGTERM
	first          atomic.Value // the first request that was lost: a string
	ended          atomic.Bool  // SIGTERM was sent
}

func (c *tally) count(err error) {
	if err != nil {
		c.lost.Add(1)
		c.first.CompareAndSwap(nil, err.Error())
		return
	}
	c.answered.Add(1)
	if c.ended.Load() {
		c.after.Add(1)
	}
}

const (
	rowHead     = "POST /v1/models/iris/infer HTTP/1.1\r\nContent-Type: application/json"
	rowBody     = `{"row":[5.1,3.5,1.4,0.2]}`
	pictureHead = "POST /v1/models/shapes/infer?cache=no-store HTTP/1.1\r\nContent-Type: image/png"
	tensorHead  = "POST /v2/models/iris/infer HTTP/1.1\r\nContent-Type: application/json"
	tensorBody  = `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,4],"data":[5.1,3.5,1.4,0.2]}]}`
)

// irisMessage is a ModelInferRequest for one row of iris, as grpc_service.proto has it.
func irisMessage() []byte {
	input := slices.Concat(field(1, []byte("input")), field(2, []byte("FP32")), field(3, []byte{1, 4}))
	var data []byte
	for _, v := range []float32{5.1, 3.5, 1.4, 0.2} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return slices.Concat(field(1, []byte("iris")), field(5, input), field(7, data))
}

// field is one length-delimited field of a protobuf message, of less than 128 bytes.
func field(number byte, content []byte) []byte {
	return append([]byte{number<<3 | 2, byte(len(content))}, content...)
}

// askUntilGone asks over and over on a kept connection, until nobody listens any more.
func askUntilGone(g *parts.GatewayServer, c *tally, head, body string) {
	client := strictClient{address: g.HTTP}
	defer client.close()
	for {
		status, answer, err := client.ask(head, body)
		switch {
		case errors.Is(err, errGone):
			return
		case err == nil && status != http.StatusOK:
			err = errors.New(strconv.Itoa(status) + ": " + answer)
		}
		c.count(err)
		if err != nil {
			return
		}
	}
}

func callUntilGone(t *testing.T, g *parts.GatewayServer, c *tally) {
	client, err := load.Dial(g.GRPC)
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	message := irisMessage()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, _, err := client.Infer(ctx, message)
		cancel()
		if err != nil && gone(err) {
			return
		}
		c.count(err)
		if err != nil {
			return
		}
	}
}

// Clients that keep their connections ask as fast as they can while the gateway is told to end. Every request that was sent is answered.
func TestSIGTERMUnderLoadLosesNoRequest(t *testing.T) {
	picture := string(picture(t, "circle-1.png"))
	var answered, after int64
	for round := range sigtermRounds(t) {
		g := parts.Serve(t, "GATEWAY_LISTEN__DRAIN=2s", "GATEWAY_LOG__LEVEL=warn")
		var c tally
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() { askUntilGone(g, &c, rowHead, rowBody) })
			clients.Go(func() { askUntilGone(g, &c, tensorHead, tensorBody) })
			clients.Go(func() { callUntilGone(t, g, &c) })
		}
		for range 2 {
			clients.Go(func() { askUntilGone(g, &c, pictureHead, picture) })
		}
		eventually(t, "the load runs", func() bool { return c.answered.Load() > 200 })
		c.ended.Store(true)
		if err := syscall.Kill(g.Pid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "readiness goes first", func() bool {
			r, err := http.Get("http://" + g.HTTP + "/readyz")
			if err != nil {
				return errors.Is(err, syscall.ECONNREFUSED) // the time was over before the question was put
			}
			defer r.Body.Close()
			return r.StatusCode == http.StatusServiceUnavailable && r.Close
		})
		if code := g.Exit(); code != 0 {
			t.Errorf("round %d: exit status %d", round, code)
		}
		clients.Wait()
		if n := c.lost.Load(); n > 0 || c.after.Load() == 0 {
			t.Fatalf("round %d: %d requests were lost, the first: %v; %d were answered, %d of them after SIGTERM", round, n, c.first.Load(), c.answered.Load(), c.after.Load())
		}
		answered, after = answered+c.answered.Load(), after+c.after.Load()
	}
	t.Logf("%d rounds: %d requests answered, %d of them after SIGTERM, none lost", sigtermRounds(t), answered, after)
}

// The second signal ends the process, whatever runs.
func TestASecondSIGTERMEndsAtOnce(t *testing.T) {
	g := parts.Serve(t, "GATEWAY_LISTEN__DRAIN=10m")
	if err := syscall.Kill(g.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway is draining", func() bool {
		r, err := http.Get("http://" + g.HTTP + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusServiceUnavailable && r.Close
	})
	if err := syscall.Kill(g.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-g.Done():
	case <-time.After(patience): // it would drain for ten minutes
		t.Error("it went on draining")
	}
}
