package gateway

import (
	"path/filepath"

	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/records"
)

// Where it is kept what operators have decided.
const (
	keptInRedis  = "redis"
	keptInFile   = "file"
	keptInMemory = "memory"
)

// records gives the store of what operators decide, and where that is: Redis, which all gateways share; else a file of that name in the folder of the jobs, which those of one machine
// share; else this process's memory.
func (g *Gateway) records(file string) (store records.Store, kept string) {
	if g.config.Cache.Redis != "" {
		return g.cache.Records(), keptInRedis
	}
	if folder := g.config.Jobs.Queue.folder(); folder != "" {
		return book.NewFile(filepath.Join(folder, file)), keptInFile
	}
	return g.cache.Records(), keptInMemory
}
