package isolate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// mostPlans bounds how many plans a child remembers: one a model.
const mostPlans = 256

// Serve is a child: it decodes with engine what its parent asks for, until it is killed. It returns only where it is not a child, or cannot
// be one, with the process's exit code.
func Serve(engine preprocess.Engine) int {
	runtime.LockOSThread()
	var info unix.Stat_t
	if err := unix.Fstat(areaFile, &info); err != nil || info.Size < inputAt+planRoom {
		fmt.Fprintln(os.Stderr, "this command is how the gateway starts its decoders; there is nothing to use it for otherwise")
		return 2
	}
	a, _, err := mapMemory(areaFile, info.Size)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s := &server{area: a, engine: engine, plans: map[string]*preprocess.Plan{}}
	memory := int64(a.request().dataLength) << 20
	debug.SetGCPercent(400)
	s.warm()
	report, err := lock(memory)
	var n int
	if err == nil {
		n, err = report.write(a.text())
	}
	if err != nil {
		n = copy(a.text(), err.Error())
		s.reply(answer{state: stateBroken, length: uint32(n)})
		return 1
	}
	s.reply(answer{state: stateReady, length: uint32(n)})
	for {
		s.await()
		s.serve()
	}
}

// server is the child's side.
type server struct {
	area    area
	engine  preprocess.Engine
	plans   map[string]*preprocess.Plan
	filled  int // bytes in the output
	unit    int
	decoded []byte // memory for pictures that do not fit into the output
}

// await sleeps until it is the child's turn.
func (s *server) await() {
	for turn := s.area.turn(); ; {
		v := turn.Load()
		if v&turnChild != 0 {
			return
		}
		sleep(turn, v, 0)
	}
}

// reply hands the turn back.
func (s *server) reply(a answer) {
	s.area.setAnswer(a)
	turn := s.area.turn()
	turn.Store(turn.Load() &^ (turnStep - 1)) // a bit that comes between is of no use to the parent
	wake(turn)
}

// serve carries out one request.
func (s *server) serve() {
	r := s.area.request()
	in := s.area.input()
	plan, data := in[:r.planLength], in[planRoom:][:r.dataLength:r.dataLength]
	h := preprocess.Header{Format: formats[r.format], Width: int(r.width), Height: int(r.height), Orientation: int(r.orientation)}
	o := preprocess.DecodeOptions{Gray: r.gray != 0, ScaleNum: int(r.scale), Orientation: int(r.upright), From: int(r.from), To: int(r.to)}
	s.filled, s.unit = 0, 1
	ctx := waited{context.Background(), s.area}
	var resampling time.Duration
	var err error
	switch r.op {
	case opDecode:
		err = s.decode(ctx, data, h, o)
	case opRows:
		s.unit = s.stride(h, o)
		err = s.rows(ctx, data, h, o)
	case opPicture:
		resampling, err = s.picture(ctx, plan, data, h)
	default:
		err = fmt.Errorf("request %d is unknown", r.op)
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.reply(answer{state: stateDone, length: uint32(s.filled), resampling: uint32(min(resampling.Microseconds(), math.MaxUint32))})
}

// fail tells the parent why.
func (s *server) fail(err error) {
	a := answer{state: stateFailed}
	text := "the decoder failed on this picture: save it anew with another program and send that"
	var f *fault.Error
	if errors.As(err, &f) {
		if number, known := failureNumber(f); known {
			a.code, text = number, f.Detail
		}
	}
	a.length = uint32(copy(s.area.text(), text))
	s.reply(a)
}

// put adds pixels to the output, and hands it over each time it is full.
func (s *server) put(ctx context.Context, part []byte) error {
	out := s.area.output()
	most := outputSize / s.unit * s.unit
	for len(part) > 0 {
		if s.filled == most {
			s.reply(answer{state: stateMore, length: uint32(s.filled)})
			s.filled = 0
			if s.await(); ctx.Err() != nil {
				return fault.Ended(ctx.Err(), "while the picture was decoded")
			}
		}
		n := copy(out[s.filled:most], part)
		s.filled += n
		part = part[n:]
	}
	return nil
}

// decode has a picture that fits decoded straight into the output.
func (s *server) decode(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) error {
	out := s.area.output()
	o.Into = out
	px, err := s.engine.Decode(ctx, data, h, o)
	if err != nil {
		return err
	}
	if n := len(px.Data); n > 0 && n <= len(out) && &px.Data[0] == &out[0] {
		s.filled = n
		return nil
	}
	return s.put(ctx, px.Data)
}

func (s *server) rows(ctx context.Context, data []byte, h preprocess.Header, o preprocess.DecodeOptions) error {
	if engine, ok := s.engine.(preprocess.RowEngine); ok {
		return engine.DecodeRows(ctx, data, h, o, func(rows []byte) error { return s.put(ctx, rows) })
	}
	o.Orientation = 0
	px, err := s.engine.Decode(ctx, data, h, o)
	if err != nil {
		return err
	}
	return s.put(ctx, px.Data)
}

func (s *server) stride(h preprocess.Header, o preprocess.DecodeOptions) int {
	width := h.Width
	if h.Format == preprocess.JPEG {
		width = scaled(width, o)
	}
	return width * channels(o)
}

func (s *server) picture(ctx context.Context, text, data []byte, h preprocess.Header) (time.Duration, error) {
	plan := s.plans[string(text)]
	if plan == nil {
		var err error
		if plan, err = preprocess.ReadPlan(text, s.engine); err != nil {
			return 0, err
		}
		if len(s.plans) >= mostPlans {
			clear(s.plans)
		}
		s.plans[string(text)] = plan
	}
	return plan.Picture(ctx, data, h, func(px preprocess.Pixels) error { return s.put(ctx, px.Data) })
}

// waited is a context that ends when the parent says so.
type waited struct {
	context.Context
	area area
}

// Err looks at the turn.
func (w waited) Err() error {
	if w.area.turn().Load()&turnCanceled != 0 {
		return context.Canceled
	}
	return nil
}
