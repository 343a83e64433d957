package watchfile

import (
	"os"
	"time"
)

// Look is what a file looked like at one moment. It costs a stat call, and reads nothing.
type Look struct {
	info os.FileInfo // nil: it could not be seen
	at   time.Time
}

// LookAt looks at a file. That it cannot be seen is a look as well: reading it tells why.
func LookAt(path string) Look {
	info, err := os.Stat(path)
	if err != nil {
		info = nil
	}
	return Look{info, time.Now()}
}

// Alike reports whether two looks saw the same: the same file, unchanged as far as its time and size tell, or none. See Age for what those do not tell.
func (l Look) Alike(m Look) bool {
	if l.info == nil || m.info == nil {
		return l.info == nil && m.info == nil
	}
	return os.SameFile(l.info, m.info) && l.info.Size() == m.info.Size() && l.info.ModTime().Equal(m.info.ModTime())
}

// IsDir reports whether there is a folder.
func (l Look) IsDir() bool { return l.info != nil && l.info.IsDir() }

// Age is how long before the look the file was written to; less than 0 where the file's clock is ahead. A young file may be changed again without its time showing it, since file systems
// count in ticks, and may still be half written. ok is false where there was no file.
func (l Look) Age() (age time.Duration, ok bool) {
	if l.info == nil {
		return 0, false
	}
	return l.at.Sub(l.info.ModTime()), true
}
