package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"runtime"
	"testing"

	"triton-gateway/internal/fault"
)

func sha(data []byte) [32]byte { return sha256.Sum256(data) }

// A caller leaves while native code reads its bytes; those who joined get the right answer, and the buffer is not used again before.
func TestBytesOutliveACallerWhoLeaves(t *testing.T) {
	r := newRig(t)
	r.engine.gate, r.engine.began = make(chan struct{}), make(chan struct{}, 3)
	data := picture(t, 20)

	leader, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.ask(leader, data, nil)
		left <- err
	}()
	<-r.engine.began // the decoder holds the leader's bytes

	followers := make(chan *Answer, 2)
	for range 2 {
		go func() {
			a, err := r.ask(context.Background(), data, nil)
			if err != nil {
				t.Error(err)
			}
			followers <- a
		}()
	}
	for r.entered.Load() < 4 { // all three have gone into the cache, and the leader into its second level
		runtime.Gosched()
	}
	leave()
	if err := <-left; fault.KindOf(err) != fault.Canceled {
		t.Fatalf("the leader got %v", err)
	}
	close(r.engine.gate)
	want := float64(byte(crc32.ChecksumIEEE(data))) * 12 // 2x2 pixels of 3 channels, all of the level that the decoder made of the bytes
	for range 2 {
		a := <-followers
		if a == nil {
			t.FailNow()
		}
		if got := read(t, a).Predictions[0].Score; got != want && want > 0.5 {
			t.Errorf("score %v, want %v: the bytes changed under the decoder", got, want)
		}
	}
}

func TestABodyIsFreedOnceAndOnlyByItsLastHolder(t *testing.T) {
	freed := 0
	b := NewBody([]byte("x"), func() { freed++ })
	h := lend(b)
	b.Release()
	if freed != 0 {
		t.Fatal("freed while it is lent")
	}
	if !h.start() {
		t.Fatal("a fresh loan could not be taken")
	}
	h.settle() // the computation has begun: it lets go itself
	if freed != 0 {
		t.Fatal("freed under the computation")
	}
	h.done()
	if freed != 1 {
		t.Fatalf("freed %d times", freed)
	}
	defer func() {
		if recover() == nil {
			t.Error("a release too many went unseen")
		}
	}()
	b.Release()
}

func TestAnUnusedLoanGoesBackAndCannotBeTakenLater(t *testing.T) {
	freed := 0
	b := NewBody(bytes.Repeat([]byte("x"), 3), func() { freed++ })
	h := lend(b)
	h.settle()
	b.Release()
	if freed != 1 || h.start() {
		t.Errorf("freed %d times; taken afterwards", freed)
	}
	if !errors.Is(errAbandoned, &fault.Error{Kind: fault.Canceled, Code: "client_closed"}) {
		t.Error("joiners could not tell an abandoned computation")
	}
}
