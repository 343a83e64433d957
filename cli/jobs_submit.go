package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type jobsSubmitCmd struct {
	gatewayFlags
	Paths []string `arg:"" name:"path" help:"Pictures, folders, zip archives, or JSON files with row, rows, image or images."`
	Model string   `short:"m" required:"" help:"The model's name."`
	inferOptions
	Priority  string        `enum:"realtime,interactive,batch" default:"batch" help:"Class: realtime, interactive or batch."`
	Delay     time.Duration `help:"Do not run before this time is over, such as 10m."`
	Deadline  time.Duration `help:"Give a job up when it is not done after this time."`
	ResultTTL time.Duration `name:"result-ttl" default:"24h" help:"How long results are kept after a job is done; 0: as the gateway is set."`
	Attempts  int           `help:"Attempts until a job is a dead letter; none: as the gateway is set."`
	Webhook   string        `placeholder:"URL" help:"Told when a job is done."`

	Chunk    int           `default:"200" help:"Most pictures of one job."`
	ChunkMiB int           `name:"chunk-mib" default:"16" help:"Most MiB of one job's pictures; not more than the gateway's limits.body."`
	Parallel int           `default:"4" help:"Jobs that are handed in at a time; each holds its pictures in memory."`
	Patience time.Duration `default:"5m" help:"How long to try again while the gateway is away or full."`
	Again    bool          `help:"Make new jobs even of what was handed in before. Without it, the same command gives the jobs that there are."`
	Wait     bool          `short:"w" help:"Wait until all is done."`
	Out      string        `short:"o" placeholder:"PATH" help:"Write the results there: one line of JSON for each item into PATH.jsonl or - (standard output), otherwise one file for each into a folder. Waits."`
}

// Run hands everything in, and collects the results where that is wanted.
func (c *jobsSubmitCmd) Run(ctx context.Context, e *Env) error {
	if err := c.check(); err != nil {
		return err
	}
	gw, err := c.reach(e)
	if err != nil {
		return err
	}
	in, err := gather(c.Paths)
	if err != nil {
		return err
	}
	defer in.close()
	s := &submission{jobsSubmitCmd: c, gw: gw, input: in, out: e.Out, progress: newProgress(e.Err, len(in.pictures)+len(in.json))}
	if c.Out == "-" || c.JSON {
		s.out = nil // the ids are in what is printed
	}
	if c.Again {
		s.salt = rand.Text()
	}
	if n := len(in.skipped); n > 0 {
		s.progress.say(fmt.Sprintf("%s left out, no pictures by their names: %s", plural(n, "file"), some(in.skipped)))
	}
	var keep *results
	if c.Out != "" {
		if keep, err = openResults(e, c.Out); err != nil {
			return err
		}
	}
	err = s.run(ctx, keep)
	s.progress.end()
	if err := errors.Join(err, keep.close()); err != nil {
		return s.explain(ctx, err)
	}
	if c.JSON && c.Out != "-" {
		docs := s.docs
		if docs == nil {
			docs = []json.RawMessage{}
		}
		if err := printJSON(e.Out, map[string]any{"jobs": docs, "items": s.items, "new": s.created, "not_answered": s.bad}); err != nil {
			return err
		}
	}
	s.sum(e)
	if s.bad > 0 {
		return failure{exitUnanswered, fmt.Sprintf("%s of %d could not be answered", plural(s.bad, "item"), s.items)}
	}
	return nil
}

func (c *jobsSubmitCmd) check() error {
	for _, v := range []struct {
		flag string
		n    int
		most int
	}{{"--chunk", c.Chunk, 100_000}, {"--chunk-mib", c.ChunkMiB, 512}, {"--parallel", c.Parallel, 64}} {
		if v.n < 1 || v.n > v.most {
			return failure{2, fmt.Sprintf("%s is %d; it is between 1 and %d", v.flag, v.n, v.most)}
		}
	}
	return nil
}

// query is what the request says about each job.
func (c *jobsSubmitCmd) query() url.Values {
	q := c.inferOptions.query()
	q.Set("model", c.Model)
	q.Set("priority", c.Priority)
	for name, value := range map[string]time.Duration{"delay": c.Delay, "deadline": c.Deadline, "result_ttl": c.ResultTTL} {
		if value != 0 {
			q.Set(name, value.String())
		}
	}
	if c.Attempts != 0 {
		q.Set("attempts", strconv.Itoa(c.Attempts))
	}
	if c.Webhook != "" {
		q.Set("webhook", c.Webhook)
	}
	return q
}

// key is the Idempotency-Key of a chunk: the same files with the same wishes have the same, so that the same command again, after an interruption, makes no
// second job of what was accepted.
func (s *submission) key(query, digest string) string {
	sum := sha256.Sum256([]byte(query + "\n" + digest + "\n" + s.salt))
	return "cli-" + hex.EncodeToString(sum[:])
}

// handIn sends one chunk until it is accepted, and gives its job. fresh is false where the job was there before.
func (s *submission) handIn(ctx context.Context, c *chunk) (j *jobDoc, raw json.RawMessage, fresh bool, err error) {
	body, contentType, digest, err := c.body()
	if err != nil {
		return nil, nil, false, err
	}
	query := s.query().Encode()
	header, answer := http.Header{"Content-Type": {contentType}, "Idempotency-Key": {s.key(query, digest)}}, http.Header(nil)
	err = until(ctx, s.Patience, s.progress.trouble, func() (err error) {
		raw, answer, err = s.gw.send(ctx, "POST", "/v1/jobs?"+query, header, body)
		return err
	})
	if err != nil {
		return nil, nil, false, err
	}
	j = new(jobDoc)
	if err := json.Unmarshal(raw, j); err != nil || j.ID == "" {
		return nil, nil, false, fmt.Errorf("the answer is no job: %s", clipLine(string(raw), 80))
	}
	return j, raw, answer.Get("Idempotency-Replayed") == "", nil
}

// explain says how to go on after a failure.
func (s *submission) explain(ctx context.Context, err error) error {
	next := "; the same command again goes on: what was accepted is not handed in twice"
	if s.accepted == 0 {
		next = ""
	} else if s.last != "" {
		next += "; `triton-gateway jobs get " + s.last + s.flags() + "` shows the last job"
	}
	text := strings.TrimSpace(err.Error())
	if ctx.Err() != nil {
		return failure{exitInterrupted, fmt.Sprintf("interrupted: %s accepted%s", plural(s.accepted, "job"), next)}
	}
	var f failure
	if errors.As(err, &f) {
		return err
	}
	return fmt.Errorf("%s\n%s accepted%s", text, plural(s.accepted, "job"), next)
}

// flags are those that another command needs to reach the same gateway.
func (s *submission) flags() string {
	if s.URL == defaultURL {
		return ""
	}
	return " --url " + s.URL
}

// some names the first few of many.
func some(names []string) string {
	const few = 5
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
