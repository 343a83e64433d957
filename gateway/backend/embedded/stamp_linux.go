package embedded

import (
	"fmt"
	"os"
	"syscall"
)

// stamp changes whenever a file may have: also where a copy keeps size and modification time, because the inode or the time of the last
// change to it (which nobody can set) differs then.
func stamp(info os.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d %d %d.%d %d", info.Size(), info.ModTime().UnixNano(), s.Ctim.Sec, s.Ctim.Nsec, s.Ino)
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
