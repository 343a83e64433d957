package check

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Dockerfile is what the rules need to know of one.
type Dockerfile struct {
	Stages []Stage
}

// Stage is one FROM with what follows it.
type Stage struct {
	From, Name string
	Steps      []Step
}

// Step is one instruction.
type Step struct {
	Line         int
	Word         string   // in capitals
	Text         string   // all words behind Word
	Flags, Parts []string // --from=..., and the words
}

// Parse reads a Dockerfile by BuildKit's own parser.
func Parse(r io.Reader) (*Dockerfile, error) {
	result, err := parser.Parse(r)
	if err != nil {
		return nil, err
	}
	d := &Dockerfile{}
	for _, n := range result.AST.Children {
		step := Step{Line: n.StartLine, Word: strings.ToUpper(n.Value), Flags: n.Flags}
		for v := n.Next; v != nil; v = v.Next {
			step.Parts = append(step.Parts, v.Value)
		}
		step.Text = strings.Join(step.Parts, " ")
		if step.Word == "FROM" {
			if len(step.Parts) == 0 {
				return nil, fmt.Errorf("line %d: FROM without an image", step.Line)
			}
			stage := Stage{From: step.Parts[0]}
			if len(step.Parts) == 3 {
				stage.Name = step.Parts[2]
			}
			d.Stages = append(d.Stages, stage)
			continue
		}
		if len(d.Stages) == 0 {
			return nil, fmt.Errorf("line %d: %s before FROM", step.Line, step.Word)
		}
		last := &d.Stages[len(d.Stages)-1]
		last.Steps = append(last.Steps, step)
	}
	if len(d.Stages) == 0 {
		return nil, fmt.Errorf("no FROM")
	}
	return d, nil
}

// Faults lists what breaks the rules: pinned bases, a user without rights for the program, apt without what nobody asked for, a health check, labels, no
// ADD and nothing that is downloaded and run.
func (d *Dockerfile) Faults() (out []string) {
	names := []string{"scratch"}
	for i, s := range d.Stages {
		if !slices.Contains(names, s.From) {
			if err := Pinned(s.From); err != nil {
				out = append(out, err.Error())
			}
		}
		names = append(names, s.Name)
		for _, step := range s.Steps {
			out = append(out, step.faults()...)
		}
		if i == len(d.Stages)-1 {
			out = append(out, s.finalFaults()...)
		}
	}
	return out
}

func (s *Step) faults() (out []string) {
	say := func(text string) { out = append(out, fmt.Sprintf("line %d: %s", s.Line, text)) }
	if s.Word == "ADD" {
		say("ADD unpacks and downloads; write COPY")
	}
	if s.Word != "RUN" {
		return out
	}
	for _, command := range strings.Split(s.Text, "&&") {
		if !strings.Contains(command, "apt-get install") && !strings.Contains(command, "apt install") {
			continue
		}
		if !strings.Contains(command, "apt-get install") || !strings.Contains(command, "--no-install-recommends") || !strings.Contains(command, " -y") {
			say("write apt-get install -y --no-install-recommends")
		}
		if !strings.Contains(s.Text, "rm -rf /var/lib/apt/lists/*") || !strings.Contains(s.Text, "apt-get update") {
			say("apt-get update and rm -rf /var/lib/apt/lists/* belong into the same RUN")
		}
	}
	if strings.Contains(s.Text, "curl ") || strings.Contains(s.Text, "wget ") {
		say("what is downloaded is not pinned by a hash")
	}
	if strings.Contains(s.Text, "pip install") && !strings.Contains(s.Text, "--require-hashes") {
		say("pip install without --require-hashes")
	}
	return out
}

// finalFaults checks the stage that becomes the image.
func (s *Stage) finalFaults() (out []string) {
	user, words := "", []string{}
	for _, step := range s.Steps {
		words = append(words, step.Word)
		if step.Word == "USER" {
			user, _, _ = strings.Cut(step.Text, ":")
		} else if user != "" && (step.Word == "RUN" || step.Word == "COPY") {
			out = append(out, fmt.Sprintf("line %d: %s behind USER", step.Line, step.Word))
		}
	}
	if user == "" || user == "0" || strings.Trim(user, "0123456789") != "" {
		out = append(out, fmt.Sprintf("the last USER is %q; a number that is not 0 is wanted", user))
	}
	for _, word := range []string{"HEALTHCHECK", "LABEL", "CMD"} {
		if !slices.Contains(words, word) {
			out = append(out, "the image has no "+word)
		}
	}
	return out
}

// Packages lists what a stage installs by apt-get, sorted.
func (s *Stage) Packages() (out []string) {
	for _, step := range s.Steps {
		for _, command := range strings.Split(step.Text, "&&") {
			_, list, ok := strings.Cut(command, "apt-get install")
			if step.Word != "RUN" || !ok {
				continue
			}
			for _, word := range strings.Fields(list) {
				if !strings.HasPrefix(word, "-") {
					out = append(out, word)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
