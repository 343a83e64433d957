package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"modernc.org/sqlite"

	"triton-gateway/internal/fault"
)

// SQLite's result codes that are told apart, from https://sqlite.org/rescode.html.
const (
	codeBusy      = 5
	codeLocked    = 6
	codeReadOnly  = 8
	codeInterrupt = 9
	codeIO        = 10
	codeCorrupt   = 11
	codeFull      = 13
	codeCannot    = 14
	codeNotADB    = 26
)

// code gives SQLite's primary result code; 0 where err is none of SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// unavailable makes the failure of a store that cannot be used now.
func unavailable(text string, err error) *fault.Error {
	return fault.New(fault.Unavailable, "job_store_unavailable", "%s", text).Wrap(err).After(time.Second)
}

// failure makes the error that callers get of one that SQLite or the file system gave. A *fault.Error stays as it is.
func failure(ctx context.Context, err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return fault.Ended(ctx.Err(), "while the job store was at work")
	}
	return unavailable(text(err), err)
}

// text tells what is wrong and what to do, without names of this machine.
func text(err error) string {
	switch code(err) {
	case codeBusy, codeLocked:
		return "the job store is held by another process for too long; come again"
	case codeReadOnly:
		return "the job store's file cannot be written; give this program the right to write it and its folder"
	case codeCorrupt, codeNotADB:
		return "the job store's file is damaged; stop the gateway, move the file and those named like it away, and start again, or put back a copy"
	case codeFull:
		return "the disk of the job store is full; make room and come again"
	case codeIO, codeCannot:
		return "the job store's file cannot be read or written; look at the disk and at the rights to the file and its folder"
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "the disk of the job store is full; make room and come again"
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return "the job store's path is a folder, or leads through a file; name a file in jobs.queue that is in a folder"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "the job store's files cannot be written; give this program the right to write them and their folder"
	}
	return "the job store failed; the log has the cause"
}

// openFault is failure for Open: the cause, which is for the log, names the file.
func openFault(path string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return known.Wrap(fmt.Errorf("job store %s: %w", path, errors.Join(known.Err)))
	}
	return unavailable(text(err), fmt.Errorf("job store %s: %w", path, err))
}
