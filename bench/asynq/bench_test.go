package main

import (
	"strings"
	"testing"

	"github.com/hibiken/asynq"
)

func TestOrdersThatAreNone(t *testing.T) {
	b := newBench(asynq.RedisClientOpt{Addr: "127.0.0.1:1"}, 1, 1)
	defer b.close()
	for _, o := range []order{{}, {Producers: 1}, {Jobs: 1}, {Producers: -1, Jobs: 1}} {
		if _, err := b.run(o); err == nil || !strings.Contains(err.Error(), "some of each") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestARedisThatIsNotThere(t *testing.T) {
	b := newBench(asynq.RedisClientOpt{Addr: "127.0.0.1:1"}, 1, 1)
	defer b.close()
	if _, err := b.run(order{Producers: 2, Jobs: 2}); err == nil {
		t.Error("no error")
	}
}
