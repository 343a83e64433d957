package isolate

import (
	"sync/atomic"
	"unsafe"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
)

// The shared memory of a child: one page of control words, what the child answers, and what the parent asks about.
//
//	0      turn, see below
//	64     request, words of 32 bits in the order of the request's fields
//	256    answer, likewise
//	512    text of a failure, or of the report
//	4096   output: the pixels, or as many of them as fit; then it is the other side's turn until they are taken
//	+4 MiB input: plan, then data
const (
	requestAt   = 64
	answerAt    = 256
	textAt      = 512
	textRoom    = controlSize - textAt
	controlSize = 4096
	outputSize  = 4 << 20
	planRoom    = 4096
	inputAt     = controlSize + outputSize
)

// The turn is a number that the parent counts up with each handing over, and these bits.
const (
	turnChild    = 1 << iota // the child may read the request and write the answer; otherwise the parent
	turnCanceled             // nobody waits for the answer any more
	turnGone                 // there is no child any more
	turnStep                 // one of the number
)

// What a child is asked for.
const (
	opDecode = 1 + iota
	opRows
	opPicture
)

// What an answer is.
const (
	stateReady  = 1 + iota // once, after the start; the text is the report
	stateMore              // a part of the pixels; the child goes on when it has the turn again
	stateDone              // the last part
	stateFailed            // a failure; the text is for people
	stateBroken            // once instead of ready: the text says why the child cannot work
)

// request is what the parent asks. The plan's and the data's bytes lie in the input.
type request struct {
	op                     uint32
	format                 uint32
	width, height          uint32
	orientation            uint32
	gray, scale            uint32
	from, to               uint32
	upright                uint32 // DecodeOptions.Orientation
	planLength, dataLength uint32
}

const requestWords = int(unsafe.Sizeof(request{}) / 4)

// answer is what the child says.
type answer struct {
	state      uint32
	kind, code uint32 // of a failure
	length     uint32 // bytes in the output, or of the text
	resampling uint32 // microseconds, of opPicture
}

const answerWords = int(unsafe.Sizeof(answer{}) / 4)

var formats = [...]preprocess.Format{preprocess.JPEG, preprocess.PNG, preprocess.WebP}

func formatNumber(f preprocess.Format) (uint32, bool) {
	for i, known := range formats {
		if f == known {
			return uint32(i), true
		}
	}
	return 0, false
}

// area is the shared memory, seen from either side.
type area []byte

func (a area) turn() *atomic.Uint32 { return a.word(0) }

func (a area) word(at int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&a[at])) }

func (a area) output() []byte {
	return a[controlSize : controlSize+outputSize : controlSize+outputSize]
}

func (a area) input() []byte { return a[inputAt:] }

func (a area) text() []byte { return a[textAt : textAt+textRoom : textAt+textRoom] }

// Words are written and read one by one, and each one once: the other side may change them at any time.

func (a area) setRequest(r request) {
	for i, w := range (*[requestWords]uint32)(unsafe.Pointer(&r)) {
		a.word(requestAt + 4*i).Store(w)
	}
}

func (a area) request() (r request) {
	words := (*[requestWords]uint32)(unsafe.Pointer(&r))
	for i := range words {
		words[i] = a.word(requestAt + 4*i).Load()
	}
	return r
}

func (a area) setAnswer(r answer) {
	for i, w := range (*[answerWords]uint32)(unsafe.Pointer(&r)) {
		a.word(answerAt + 4*i).Store(w)
	}
}

func (a area) answer() (r answer) {
	words := (*[answerWords]uint32)(unsafe.Pointer(&r))
	for i := range words {
		words[i] = a.word(answerAt + 4*i).Load()
	}
	return r
}

// said gives a copy of the first n bytes of the text; false where there is no room for as many.
func (a area) said(n uint32) ([]byte, bool) {
	if n > textRoom {
		return nil, false
	}
	return append([]byte(nil), a.text()[:n]...), true
}

// failures are those that a decoder may answer with. All others are its own failing, and become invalid_image.
var failures = [...]struct {
	kind fault.Kind
	code string
}{{fault.Invalid, "invalid_image"}, {fault.TooLarge, "image_too_large"}, {fault.Unsupported, "unsupported_media_type"}, {fault.Canceled, "client_closed"}}

// failureNumber finds a failure's place in failures; false for one that is not there.
func failureNumber(f *fault.Error) (uint32, bool) {
	for i, known := range failures {
		if f.Kind == known.kind && f.Code == known.code {
			return uint32(i), true
		}
	}
	return 0, false
}
