package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	diskSize = 96 << 20
	page     = 4096
	throttle = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device"
)

// disk is a file system in a file that only the gateway's process has mounted. It goes away with that process.
type disk struct {
	image string
	mount string // where the gateway sees it
	pid   func() int
}

// newDisk makes the file system.
func newDisk(image, mount string) (*disk, error) {
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	err = f.Truncate(diskSize)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.MkdirAll(mount, 0o700)
	}
	if err != nil {
		return nil, err
	}
	if said, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		return nil, cannot("no file system: %v %s", err, said)
	}
	return &disk{image: image, mount: mount}, nil
}

// at is a path on the disk, as this process reaches it.
func (d *disk) at(name string) string {
	return filepath.Join("/proc", strconv.Itoa(d.pid()), "root", d.mount, name)
}

// fill takes all room that is left.
func (d *disk) fill() (mend func() error, err error) {
	path := d.at("fill")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for size := 1 << 20; size >= 1; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return nil, err
		}
	}
	return func() error { return os.Remove(path) }, nil
}

// freeze lets no write through until it is mended, and also where this process dies.
func (d *disk) freeze() (mend func() error, err error) {
	// The shell thaws when its input ends.
	guard := exec.Command("nsenter", "-m", "-t", strconv.Itoa(d.pid()), "sh", "-c", `fsfreeze -f "$1" && echo frozen && cat; fsfreeze -u "$1"`, "sh", d.mount)
	var said bytes.Buffer
	guard.Stderr = &said
	in, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := guard.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, cannot("%v", err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "frozen\n" {
		_ = in.Close()
		_ = guard.Wait()
		return nil, cannot("the file system cannot be frozen: %s", said.String())
	}
	return func() error {
		_ = in.Close()
		return guard.Wait()
	}, nil
}

// throttle lets only so many writes a second through.
func (d *disk) throttle(writes int) (mend func() error, err error) {
	device, err := d.device()
	if err != nil {
		return nil, err
	}
	set := func(n int) error { return os.WriteFile(throttle, fmt.Appendf(nil, "%s %d", device, n), 0o600) }
	if err := set(writes); err != nil {
		return nil, cannot("the kernel does not slow a disk down: %v", err)
	}
	return func() error { return set(0) }, nil
}

// device is the number of the device, as major:minor.
func (d *disk) device() (string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(d.pid()), "mountinfo"))
	if err != nil {
		return "", err
	}
	return deviceOf(string(text), d.mount)
}

func deviceOf(mountinfo, mount string) (string, error) {
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == mount {
			return f[2], nil
		}
	}
	return "", fmt.Errorf("%s is not mounted", mount)
}

// scribble writes rubbish over every page of a file, the first one too. What mends it puts back those pages that are rubbish still: the others
// were written anew meanwhile. still stops the program that uses the file for that moment.
func (d *disk) scribble(name string, still func() (goOn func() error, err error)) (mend func() error, err error) {
	f, err := os.OpenFile(d.at(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	was, err := io.ReadAll(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	rubbish := make([]byte, len(was))
	fillRubbish(rubbish)
	if _, err = f.WriteAt(rubbish, 0); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() error {
		goOn, err := still()
		if err != nil {
			return err
		}
		defer f.Close()
		err = restore(f, was, rubbish)
		if e := goOn(); err == nil {
			err = e
		}
		return err
	}, nil
}

// restore puts back the pages of a file that still are rubbish.
func restore(f interface {
	io.ReaderAt
	io.WriterAt
}, was, rubbish []byte) error {
	now := make([]byte, page)
	for at := 0; at < len(was); at += page {
		end := min(at+page, len(was))
		n, err := f.ReadAt(now[:end-at], int64(at))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 || !bytes.Equal(now[:n], rubbish[at:at+n]) {
			continue
		}
		if _, err := f.WriteAt(was[at:at+n], int64(at)); err != nil {
			return err
		}
	}
	return nil
}
