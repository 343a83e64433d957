package sqs

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"triton-gateway/gateway/jobs"
)

// names are what a URL says.
type names struct {
	region   string
	prefix   string
	tables   string // the table
	bucket   string // "": none
	endpoint string // "": AWS
	fifo     bool
	term     time.Duration
}

// errURL names no part of the URL: a secret may have strayed into any.
var errURL = errors.New("jobs.queue is not a URL for SQS; write sqs://REGION/PREFIX, as in sqs://eu-central-1/photos, with ?table=, bucket=, endpoint=, " +
	"fifo=true or visibility=300s where they are needed; credentials are not a part of it: the AWS SDK finds them by its own chain")

var (
	regionForm = regexp.MustCompile(`^[a-z0-9-]{2,30}$`)
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9_-]{3,60}$`)
	tableForm  = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// parse reads a URL of jobs.queue.
func parse(text string) (n names, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "sqs" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return n, errURL
	}
	n = names{region: u.Host, prefix: strings.TrimPrefix(u.Path, "/"), term: 300 * time.Second}
	n.tables = n.prefix
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return n, errURL
	}
	for key, values := range q {
		if len(values) != 1 {
			return n, errors.New("jobs.queue: " + key + " is there twice; give it once")
		}
		switch v := values[0]; key {
		case "table":
			n.tables = v
		case "bucket":
			n.bucket = v
		case "endpoint":
			n.endpoint = v
		case "fifo":
			if n.fifo = v == "true"; !n.fifo && v != "false" {
				return n, errors.New("jobs.queue: fifo is true or false")
			}
		case "visibility":
			if n.term, err = time.ParseDuration(v); err != nil || n.term < 10*time.Second || n.term > 12*time.Hour {
				return n, errors.New("jobs.queue: visibility is how long a lease lasts, from 10s to 12h; 300s is usual")
			}
		default:
			return n, errors.New("jobs.queue: an unknown setting; those of SQS are table, bucket, endpoint, fifo and visibility")
		}
	}
	return n, n.check()
}

func (n names) check() error {
	switch {
	case !regionForm.MatchString(n.region):
		return errors.New("jobs.queue: the region has letters, digits and -, as in sqs://eu-central-1/photos")
	case !prefixForm.MatchString(n.prefix):
		return errors.New("jobs.queue: the prefix has 3 to 60 letters, digits, - and _, as in sqs://eu-central-1/photos")
	case !tableForm.MatchString(n.tables):
		return errors.New("jobs.queue: table has 3 to 255 letters, digits, _, - and dots")
	case n.bucket != "" && !bucketForm.MatchString(n.bucket):
		return errors.New("jobs.queue: bucket has 3 to 63 small letters, digits, - and dots")
	}
	if n.endpoint != "" {
		e, err := url.Parse(n.endpoint)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" || e.Fragment != "" {
			return errors.New("jobs.queue: endpoint is an address such as http://localhost:5000")
		}
	}
	return nil
}

// classes are in the order of a Store's lines.
var classes = [3]jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}

func classOf(p jobs.Priority) int { return slices.Index(classes[:], p) }

// queue is the name of a class's queue; of the dead letters' for -1.
func (n names) queue(class int) string {
	name := n.prefix + "-dead"
	if class >= 0 {
		name = n.prefix + "-" + string(classes[class])
	}
	if n.fifo {
		name += ".fifo"
	}
	return name
}
