package gateway

import (
	"context"
	"errors"
	"net/http"
	"os"
	"syscall"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// spooled is a body on the disk: archives are larger than what may be held in memory, and their directory is at their end.
type spooled struct {
	file    *os.File // has no name any more: whatever happens, its space comes back
	size    int64
	release func() // of the room on the disk
}

func (s *spooled) close() {
	_ = s.file.Close()
	s.release()
}

// spoolBody reads a body into a file. The caller closes it.
//
// Errors: TooLarge body_too_large or job_store_full (507), Busy queue_full while others fill the room, and those of a body that does not arrive.
func (j *jobSide) spoolBody(in reader) (_ *spooled, err error) {
	r := in.r
	size := r.ContentLength
	switch {
	case size > j.bytes:
		return nil, j.tooLarge()
	case size == 0 || r.Body == nil || r.Body == http.NoBody:
		return nil, emptyBody()
	case size < 0:
		size = j.bytes
	}
	release, err := j.reserve(r.Context(), size)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(j.spool, "archive-*.zip")
	if err != nil {
		release()
		return nil, diskFault(err)
	}
	_ = os.Remove(file.Name())
	s := &spooled{file: file, release: release}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	defer in.done()
	for buffer, ended := make([]byte, window), false; !ended; {
		n := 0
		if n, ended, err = in.fill(buffer); err != nil {
			return nil, err
		}
		if s.size += int64(n); s.size > j.bytes {
			return nil, j.tooLarge()
		}
		if _, err = file.Write(buffer[:n]); err != nil {
			return nil, diskFault(err)
		}
		if r.ContentLength > 0 && s.size == r.ContentLength {
			ended = true
		}
	}
	switch {
	case r.ContentLength > 0 && s.size < r.ContentLength:
		return nil, cutBody()
	case s.size == 0:
		return nil, emptyBody()
	}
	r.Body = http.NoBody // net/http keeps its own
	return s, nil
}

// reserve takes room on the disk, and waits a moment for it.
func (j *jobSide) reserve(ctx context.Context, size int64) (release func(), err error) {
	short := &patience{Context: ctx}
	defer short.stop()
	release, err = j.room.Acquire(short, size)
	if err != nil && ctx.Err() == nil && !errors.Is(err, &fault.Error{Kind: fault.TooLarge}) {
		err = fault.New(fault.Busy, "queue_full", "too many archives are being received at this moment; come again in a few seconds, send Content-Length, or raise jobs.bytes").After(5 * time.Second).Wrap(err)
	}
	return release, err
}

func (j *jobSide) tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "the zip is larger than %d bytes; hand it in as several jobs, or raise jobs.bytes", j.bytes).At("body", "too large")
}

// diskFault is why an archive could not be written.
func diskFault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.New(fault.TooLarge, "job_store_full", "the gateway's disk is full; come again later").After(time.Minute).Wrap(err)
	}
	return fault.New(fault.Unavailable, "job_store_unavailable", "the gateway cannot keep the archive while it reads it; its log has the cause").Wrap(err)
}

// handInArchive takes a zip of pictures in, as one job.
func (s *server) handInArchive(w http.ResponseWriter, r *http.Request, service *jobs.Service, call *call, p *jobParams) (*jobs.Job, bool, error) {
	call.at = "body"
	request := pipeline.Request{Model: p.Model, Version: p.Version, Options: call.opts.post, Item: pipeline.Item{Image: &pipeline.Body{}}}
	call.body = request.Item.Image
	if err := call.locate(s.jobs.check(&request), 0); err != nil {
		return nil, false, err
	}
	if err := uncoded(r.Header); err != nil {
		return nil, false, err
	}
	body, err := s.jobs.spoolBody(s.bodies.reader(w, r))
	if err != nil {
		return nil, false, err
	}
	defer body.close()
	a, err := openArchive(body.file, body.size, archiveLimits{items: s.jobs.items, each: s.limits.Body, total: s.jobs.bytes})
	if err != nil {
		return nil, false, err
	}
	// Some ten files are in memory at a time: one that is unpacked, and those that are being stored.
	free, err := takeBytes(r.Context(), s.bodies.budget, min(10*a.largest, a.total, s.jobs.memory))
	if err != nil {
		return nil, false, err
	}
	defer free()
	p.Options, p.Cache = writeOptions(&call.opts), modeNames[call.opts.cache]
	p.Items = a.inputs()
	return service.Submit(r.Context(), &p.Submission)
}
