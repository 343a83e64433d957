package sqs

import (
	"encoding/json"
	"strings"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
)

// edits are the parts of a conditional write of a job.
type edits struct {
	sets, removes, musts []string
	values               item
}

// set gives an attribute a value.
func (e *edits) set(name string, v ddb.AttributeValue) {
	e.sets = append(e.sets, "#"+name+" = :"+name)
	e.value(":"+name, v)
}

func (e *edits) remove(name string) { e.removes = append(e.removes, "#"+name) }

// is makes it a condition that an attribute has a value.
func (e *edits) is(name string, v ddb.AttributeValue) {
	e.musts = append(e.musts, "#"+name+" = :is"+name)
	e.value(":is"+name, v)
}

func (e *edits) value(name string, v ddb.AttributeValue) {
	if e.values == nil {
		e.values = item{}
	}
	e.values[name] = v
}

// of is the write of a job's item.
func (e *edits) of(id string) write {
	set := "SET " + strings.Join(e.sets, ", ")
	if len(e.removes) > 0 {
		set += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return write{key: jobKey(id), set: set, where: strings.Join(e.musts, " AND "), values: e.values, op: token()}
}

// unchanged makes it a condition that nobody has taken, ended or prolonged the job since it was read.
func (e *edits) unchanged(r *record) {
	e.is("st", text(string(r.State)))
	e.is("fence", number(r.Fence))
	e.is("end", number(jobs.Micros(r.end)))
	e.is("msg", text(r.msg))
}

const ttlSpare = 7 * 24 * time.Hour // after which DynamoDB itself deletes a job that no Sweep has deleted

// finish makes a job final.
func (e *edits) finish(r *record, state jobs.State, now time.Time) {
	over := now.Add(r.ResultTTL)
	e.set("st", text(string(state)))
	e.set("fin", number(jobs.Micros(now)))
	e.set("due", number(jobs.Micros(over)))
	e.set("ttl", number(over.Add(ttlSpare).Unix()))
	if r.Webhook == "" {
		e.set("w", text(told))
	} else {
		e.set("w", text(untold))
	}
}

// problem sets why an attempt failed.
func (e *edits) problem(p *jobs.Problem) {
	b, err := json.Marshal(p)
	if p == nil || err != nil {
		e.remove("prob")
		return
	}
	e.set("prob", text(string(b)))
}
