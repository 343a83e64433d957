package triton

import (
	"runtime"
	"sync/atomic"

	"google.golang.org/grpc/mem"

	"triton-gateway/gateway/backend"
)

var _ mem.BufferPool = (*lease)(nil)

// lease holds a request's memory for as long as one marshalled message may be read: it retains it once, and releases it when grpc has freed all
// buffers of the message. grpc reads them after the call has returned, where that was cancelled or timed out. Every attempt at a request, and both
// of two at the same time, marshal it anew and have a lease each.
//
// grpc 1.85 forgets to free what was queued for a stream that had ended already, or for a connection that broke. It does not read it any more either, and drops
// it: then the garbage collector finds the lease and releases the memory.
type lease struct {
	memory backend.Memory
	left   atomic.Int32 // buffers that grpc has not freed
	lost   runtime.Cleanup
}

// newLease retains memory for so many buffers.
func newLease(memory backend.Memory, buffers int) *lease {
	memory.Retain()
	l := &lease{memory: memory}
	l.left.Store(int32(buffers))
	l.lost = runtime.AddCleanup(l, backend.Memory.Release, memory)
	return l
}

// buffer gives data to grpc. It must be longer than what grpc.mem takes for too short to free.
func (l *lease) buffer(data []byte) mem.Buffer {
	if l == nil {
		return mem.SliceBuffer(data)
	}
	kept := data // so that data itself escapes in this case alone
	return mem.NewBuffer(&kept, l)
}

// Get is not called: grpc takes memory from pools of its own.
func (l *lease) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put ends grpc's use of one buffer.
func (l *lease) Put(*[]byte) {
	if l.left.Add(-1) > 0 {
		return
	}
	l.lost.Stop()
	runtime.KeepAlive(l) // up to here, so that Stop is sure to come before the cleanup
	l.memory.Release()
}
