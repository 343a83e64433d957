package isolate

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// processorLimit ends a child, in seconds of processor time, that nobody retires: twice its lifetime.
	processorLimit = 2 * int64(lifetime/1e9)
	// heapShare of the memory is where the collector begins to work hard, so that garbage alone ends no child.
	heapShare = 0.75
)

// lock takes everything away from this process that decoding does not need. What the system refuses is in the report; an error is what must
// not be missing.
func lock(memory int64) (r Report, err error) {
	data, err := dataSize() // opens a file, so that Go's runtime has all of its own when they are listed
	if err != nil {
		return r, err
	}
	wakers, err := closeFiles()
	if err != nil {
		return r, err
	}
	limits := []struct {
		name     string
		resource int
		most     uint64
	}{
		{"core dumps", unix.RLIMIT_CORE, 0},
		{"size of files", unix.RLIMIT_FSIZE, errorsSize},
		{"open files", unix.RLIMIT_NOFILE, 0},
		{"processor time", unix.RLIMIT_CPU, uint64(processorLimit)},
		{"locked memory", unix.RLIMIT_MEMLOCK, 0},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0},
	}
	if memory > 0 {
		r.Memory = memory
		limits = append(limits, struct {
			name     string
			resource int
			most     uint64
		}{"memory", unix.RLIMIT_DATA, uint64(data + memory)})
		debug.SetMemoryLimit(int64(float64(memory) * heapShare))
	}
	for _, l := range limits {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return r, fmt.Errorf("limit of %s: %w", l.name, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return r, fmt.Errorf("no dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return r, fmt.Errorf("no new privileges: %w", err)
	}
	if r.Calls, err = filter(wakers); err != nil {
		r.Missing = append(r.Missing, "seccomp: "+err.Error())
	}
	return r, nil
}

// closeFiles closes all that the parent had open and a library did not mark. What stays is Go's own: the files by which its runtime waits,
// and wakers, by which it wakes.
func closeFiles() (wakers []int, err error) {
	const folder = "/proc/self/fd"
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil || fd <= errorsFile {
			continue
		}
		switch is, err := os.Readlink(folder + "/" + f.Name()); {
		case err != nil: // the folder itself, which is closed by now
		case is == "anon_inode:[eventfd]":
			wakers = append(wakers, fd)
		case is != "anon_inode:[eventpoll]":
			_ = unix.Close(fd)
		}
	}
	if len(wakers) == 0 { // it would be made later, and used: that ends the process
		return nil, errors.New("Go's runtime has no file yet to wake itself by")
	}
	return wakers, nil
}

// dataSize is what RLIMIT_DATA counts of this process now: libraries, stacks and the room that Go's heap begins with.
func dataSize() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmData:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status does not tell VmData")
}
