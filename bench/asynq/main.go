// Command asynq is the other side of ../jobs: github.com/hibiken/asynq, asked to do what the gateway's engine is asked to do on the same Redis. It is a module
// of its own, so that nobody who builds the gateway needs asynq.
//
// It reads one order a line from standard input, as {"producers":16,"jobs":1000,"results":true}, and answers each with a line of seconds, as
// {"enqueue":0.5,"drain":0.4,"both":0.8}.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/hibiken/asynq"
)

func main() {
	address := flag.String("redis", "127.0.0.1:6379", "where the Redis is")
	workers := flag.Int("workers", 4, "tasks at a time")
	size := flag.Int("bytes", 1024, "of one task's payload")
	flag.Parse()
	log.SetFlags(0)
	b := newBench(asynq.RedisClientOpt{Addr: *address}, *workers, *size)
	defer b.close()
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			log.Fatalf("the order %q: %v", lines.Text(), err)
		}
		t, err := b.run(o)
		if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
			log.Fatal(err)
		}
	}
}
