//go:build !linux

package embedded

import (
	"fmt"
	"os"
)

// stamp changes when a file's size or modification time does.
func stamp(info os.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
