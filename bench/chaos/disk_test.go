package chaos

import (
	"bytes"
	"io"
	"testing"
)

// memory is a file in memory.
type memory []byte

func (m memory) ReadAt(p []byte, at int64) (int, error) {
	n := copy(p, m[min(at, int64(len(m))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m memory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }

func TestRestorePutsBackWhatIsRubbishStill(t *testing.T) {
	was := bytes.Repeat([]byte("was "), (3*page+100)/4)
	rubbish := make([]byte, len(was))
	fillRubbish(rubbish)
	for name, c := range map[string]struct {
		now  func() memory
		want func() []byte
	}{
		"all is rubbish": {func() memory { return bytes.Clone(rubbish) }, func() []byte { return was }},
		"one page was written anew": {
			func() memory {
				m := bytes.Clone(rubbish)
				copy(m[page:], bytes.Repeat([]byte("new."), page/4))
				return m
			},
			func() []byte { m := bytes.Clone(was); copy(m[page:], bytes.Repeat([]byte("new."), page/4)); return m },
		},
		"one letter of the last page": {
			func() memory { m := bytes.Clone(rubbish); m[len(m)-1]++; return m },
			func() []byte { m := bytes.Clone(was); copy(m[3*page:], rubbish[3*page:]); m[len(m)-1]++; return m },
		},
		"shorter now": {func() memory { return bytes.Clone(rubbish[:page]) }, func() []byte { return was[:page] }},
	} {
		m := c.now()
		if err := restore(m, was, rubbish); err != nil || !bytes.Equal(m, c.want()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeviceOf(t *testing.T) {
	const info = "22 1 254:0 / / rw - ext4 /dev/root rw\n311 22 7:3 / /somewhere/disk rw,relatime - ext4 /dev/loop3 rw\n"
	if got, err := deviceOf(info, "/somewhere/disk"); err != nil || got != "7:3" {
		t.Errorf("%q %v", got, err)
	}
	if got, err := deviceOf(info, "/somewhere"); err == nil {
		t.Errorf("%q", got)
	}
}
