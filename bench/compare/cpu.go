package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat; it is 1/100 s on Linux for every architecture that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime is the user and system time that a process, its living descendants and its ended and waited-for children have used.
func cpuTime(pid int) (time.Duration, error) {
	children, err := parents()
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		fields, err := stat(queue[0])
		if err != nil {
			if queue[0] == pid {
				return 0, err
			}
			continue // a child that has just ended
		}
		for _, f := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("pid %d: %w", queue[0], err)
			}
			total += time.Duration(ticks) * tick
		}
		queue = append(queue, children[queue[0]]...)
	}
	return total, nil
}

// parents maps each process to its children.
func parents() (map[int][]int, error) {
	list, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, path := range list {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		if err != nil {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	return children, nil
}

// stat gives the fields of /proc/PID/stat from the state on; the name before it may hold spaces.
func stat(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return nil, fmt.Errorf("pid %d: unreadable stat", pid)
	}
	return fields, nil
}
