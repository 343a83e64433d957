package isolate

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// nobody is the account that owns nothing, by the number that every system has for it.
const nobody = 65534

// The files of a child. Standard input and output are /dev/null.
const (
	errorsFile = 2 // a file in memory that cannot grow
	areaFile   = 3
	errorsSize = 4096
)

// rung is one way of starting a child. They are tried from the strictest; what works is kept.
type rung struct {
	namespaces []string
	account    string
	attributes func() *syscall.SysProcAttr
}

// rungs are the ways, for a parent that is root and for one that is not. In a user namespace a process of any account may have the others.
func rungs() []rung {
	const (
		ours     = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
		withRoot = ours &^ syscall.CLONE_NEWUSER
	)
	spaces := []string{"user", "network", "IPC", "host name", "mounts", "processes"}
	base := func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true} // of its own session: what a terminal sends is not for it
	}
	if os.Geteuid() != 0 {
		return []rung{
			{spaces, "the gateway's, without its capabilities", func() *syscall.SysProcAttr {
				a := base()
				a.Cloneflags = ours
				a.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Geteuid(), Size: 1}}
				a.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getegid(), Size: 1}}
				return a
			}},
			{nil, "the gateway's", base},
		}
	}
	credential := func(a *syscall.SysProcAttr) { a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody} }
	return []rung{
		{spaces, "nobody", func() *syscall.SysProcAttr {
			a := base()
			a.Cloneflags = ours
			a.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}}
			a.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}}
			a.GidMappingsEnableSetgroups = true
			credential(a)
			return a
		}},
		{spaces[1:], "nobody", func() *syscall.SysProcAttr {
			a := base()
			a.Cloneflags = withRoot
			credential(a)
			return a
		}},
		{nil, "nobody", func() *syscall.SysProcAttr {
			a := base()
			credential(a)
			return a
		}},
		{nil, "the gateway's", base},
	}
}

// spawn starts one child. Its caller keeps the OS thread.
func (p *pool) spawn() (_ *child, err error) {
	size := int64(inputAt+planRoom) + p.options.Input
	memory, err := newMemory("decoder", size)
	if err != nil {
		return nil, err
	}
	defer memory.Close()
	words, err := newMemory("decoder-errors", errorsSize)
	if err != nil {
		return nil, err
	}
	shared, free, err := mapMemory(memory.Fd(), size)
	if err != nil {
		_ = words.Close()
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		defer null.Close()
		c := &child{area: shared, free: free, errors: words}
		shared.setRequest(request{dataLength: uint32(min(p.options.Memory>>20, 1<<30))})
		shared.turn().Store(turnChild)
		if err = p.exec(c, null, memory); err == nil {
			return c, nil
		}
	}
	free()
	_ = words.Close()
	return nil, err
}

// exec starts the program again by the file that runs, whatever lies at its path now and whoever may go there.
func (p *pool) exec(c *child, null, memory *os.File) (err error) {
	p.mu.Lock()
	from := p.rung
	p.mu.Unlock()
	all := rungs()
	for i := from; i < len(all); i++ {
		c.process, err = os.StartProcess("/proc/self/exe", []string{"triton-gateway", Argument}, &os.ProcAttr{
			Dir: "/", Env: environment(os.Environ()), Files: []*os.File{null, null, c.errors, memory}, Sys: all[i].attributes(),
		})
		p.mu.Lock()
		if err == nil {
			p.rung = max(p.rung, i)
			c.report = Report{Namespaces: all[i].namespaces, Account: all[i].account, Missing: p.missing}
		} else if p.rung <= i && i+1 < len(all) && refused(err) {
			p.rung = i + 1
			p.missing = append(p.missing, fmt.Sprintf("%s, account %s: %v", describe(all[i].namespaces), all[i].account, errors.Unwrap(err)))
		}
		p.mu.Unlock()
		if err == nil || !refused(err) {
			return err
		}
	}
	return err
}

func describe(namespaces []string) string {
	if len(namespaces) == 0 {
		return "no namespaces"
	}
	return "namespaces " + strings.Join(namespaces, ", ")
}

// refused tells what the system does not let this process do from what is wrong at the moment, such as no memory.
func refused(err error) bool {
	for _, no := range []error{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSYS, syscall.ENOSPC, syscall.EUSERS} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// environment is all that a child gets to know: where the libraries are, if that had to be said, and that a crash has to be told in few words.
func environment(all []string) []string {
	kept := []string{"GOTRACEBACK=none", "GOMAXPROCS=2"}
	for _, entry := range all {
		if strings.HasPrefix(entry, "LD_LIBRARY_PATH=") {
			kept = append(kept, entry)
		}
	}
	return kept
}
