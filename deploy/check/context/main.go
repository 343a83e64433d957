// Command context copies what `docker build` would send to the engine into a folder: the files that git knows, less what .dockerignore leaves out. So the steps
// of a Dockerfile can be run where there is no engine.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func main() {
	from, to := flag.String("from", ".", "the repository"), flag.String("to", "", "an empty folder; none: the files are listed")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "context:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	files, err := known(from)
	if err != nil {
		return err
	}
	ignore, err := os.ReadFile(filepath.Join(from, ".dockerignore"))
	if err != nil {
		return err
	}
	if files, err = sent(ignore, files); err != nil {
		return err
	}
	for _, file := range files {
		if to == "" {
			fmt.Println(file)
			continue
		}
		if err := copyFile(filepath.Join(from, file), filepath.Join(to, file)); err != nil {
			return err
		}
	}
	return nil
}

// known lists what git has, as paths with slashes below from.
func known(from string) ([]string, error) {
	out, err := exec.Command("git", "-C", from, "ls-files", "-z", "--cached").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var files []string
	for _, file := range strings.Split(strings.Trim(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(from, file)); err == nil && info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files, nil
}

// sent leaves out what a .dockerignore leaves out.
func sent(ignore []byte, files []string) (out []string, err error) {
	patterns, err := ignorefile.ReadAll(bytes.NewReader(ignore))
	if err != nil {
		return nil, err
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		left, err := m.MatchesOrParentMatches(filepath.FromSlash(file))
		if err != nil {
			return nil, err
		}
		if !left {
			out = append(out, file)
		}
	}
	return out, nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}
