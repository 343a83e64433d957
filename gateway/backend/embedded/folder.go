package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"triton-gateway/modelconfig"
)

// look is what a model's folder looks like from outside: names, sizes, times and inodes of the files that a load reads. Looking
// costs a few stat calls and reads no file.
type look struct {
	config   string           // of config.pbtxt; "" where there is none
	versions map[int64]string // of each version folder
	all      string           // of everything
}

// scan looks at every model folder of the repository. Files, and folders whose name starts with a dot, are not models.
func scan(repository string) (map[string]look, error) {
	entries, err := os.ReadDir(repository)
	if err != nil {
		return nil, err
	}
	out := make(map[string]look, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		dir := filepath.Join(repository, name)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		out[name] = lookAt(dir)
	}
	return out, nil
}

// lookAt looks at one model folder. What cannot be seen is told by the load that follows.
func lookAt(dir string) look {
	l := look{versions: map[int64]string{}}
	var all strings.Builder
	if info, err := os.Stat(filepath.Join(dir, "config.pbtxt")); err == nil {
		l.config = stamp(info)
	}
	all.WriteString(l.config)
	entries, err := os.ReadDir(dir)
	if err != nil {
		fmt.Fprintf(&all, "\n%v", err)
	}
	stampFiles(&all, dir, entries) // labels
	for _, v := range modelconfig.VersionsAmong(dir, entries) {
		var b strings.Builder
		stampAll(&b, filepath.Join(dir, fmt.Sprint(v)), 0)
		l.versions[v] = b.String()
		fmt.Fprintf(&all, "\n%d:\n%s", v, b.String())
	}
	l.all = all.String()
	return l
}

// stampFiles stamps the files of a folder, without those of folders below it.
func stampFiles(b *strings.Builder, dir string, entries []os.DirEntry) {
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == "config.pbtxt" {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, entry.Name())); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(b, "\n%q %s", entry.Name(), stamp(info))
		}
	}
}

// maxDepth bounds the folders below a version folder that are looked at: weights may lie in folders of their own.
const maxDepth = 3

// bytecode is a folder that Python writes beside the files that it reads, when a Triton serves the same folder. It is no part of a model.
const bytecode = "__pycache__"

func stampAll(b *strings.Builder, dir string, depth int) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		fmt.Fprintf(b, "%v\n", err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(path)
		switch {
		case err != nil:
			fmt.Fprintf(b, "%q ?\n", entry.Name())
		case info.IsDir() && entry.Name() == bytecode:
		case info.IsDir() && depth < maxDepth:
			fmt.Fprintf(b, "%q/\n", entry.Name())
			stampAll(b, path, depth+1)
		default:
			fmt.Fprintf(b, "%q %s\n", entry.Name(), stamp(info))
		}
	}
}
