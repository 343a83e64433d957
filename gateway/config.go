package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config is gateway.yaml. Every key is also an environment variable: GATEWAY_ and the path in capitals, sections joined by two
// underscores, such as GATEWAY_TRITON__ENDPOINTS. The zero value is not useful; start from DefaultConfig.
type Config struct {
	Listen          Listen    `yaml:"listen" json:"listen,omitempty" envPrefix:"LISTEN__" jsonschema_description:"Addresses that the gateway answers on."`
	ModelRepository string    `yaml:"model_repository" json:"model_repository,omitempty" env:"MODEL_REPOSITORY" jsonschema_description:"Folder in Triton's layout. With Triton endpoints it is only read for task.yaml, labels and samples."`
	Triton          Triton    `yaml:"triton" json:"triton,omitempty" envPrefix:"TRITON__" jsonschema_description:"Tritons to call. None: the embedded engine runs the model repository."`
	Embedded        Embedded  `yaml:"embedded" json:"embedded,omitempty" envPrefix:"EMBEDDED__" jsonschema_description:"The ONNX Runtime inside the gateway."`
	Batching        Batching  `yaml:"batching" json:"batching,omitempty" envPrefix:"BATCHING__" jsonschema_description:"Calls that go to a model together; docs/guide/batching.md."`
	Rollout         Rollout   `yaml:"rollout" json:"rollout,omitempty" envPrefix:"ROLLOUT__" jsonschema_description:"How models are switched from one version to another, and warmed up; docs/guide/switching.md."`
	Cache           Cache     `yaml:"cache" json:"cache,omitempty" envPrefix:"CACHE__" jsonschema_description:"Where answers are kept."`
	Limits          Limits    `yaml:"limits" json:"limits,omitempty" envPrefix:"LIMITS__" jsonschema_description:"What a request may cost."`
	Decoder         Decoder   `yaml:"decoder" json:"decoder,omitempty" envPrefix:"DECODER__" jsonschema_description:"Where pictures are decoded; docs/guide/isolation.md."`
	Jobs            Jobs      `yaml:"jobs" json:"jobs,omitempty" envPrefix:"JOBS__" jsonschema_description:"Work that is handed in, answered at once with an id, and collected later."`
	Payloads        Payloads  `yaml:"payload_log" json:"payload_log,omitempty" envPrefix:"PAYLOAD_LOG__" jsonschema_description:"What of requests and answers is written down; docs/guide/payload-log.md."`
	Streams         Streams   `yaml:"streams" json:"streams,omitempty" envPrefix:"STREAMS__" jsonschema_description:"Models that answer with several responses; docs/guide/streams.md."`
	Fetch           Fetch     `yaml:"fetch" json:"fetch,omitempty" envPrefix:"FETCH__" jsonschema_description:"Pictures that callers name by URL; docs/guide/fetch.md."`
	AuditLog        string    `yaml:"audit_log" json:"audit_log,omitempty" env:"AUDIT_LOG" jsonschema_description:"File that keeps what operators do, a line each, chained by hashes; docs/guide/audit-log.md. Empty: they are in the log alone, with audit=true."`
	CORS            CORS      `yaml:"cors" json:"cors,omitempty" envPrefix:"CORS__" jsonschema_description:"Pages of other origins that may call from a browser; docs/guide/tls.md."`
	Auth            Auth      `yaml:"auth" json:"auth,omitempty" envPrefix:"AUTH__" jsonschema_description:"Who may call; docs/guide/auth.md."`
	Quotas          Quotas    `yaml:"quotas" json:"quotas,omitempty" envPrefix:"QUOTAS__" jsonschema_description:"What each caller may use; docs/guide/quotas.md."`
	Graphs          Graphs    `yaml:"graphs" json:"graphs,omitempty" env:"GRAPHS" jsonschema_description:"Files of graphs, which run several models as one, by the name that each is called by; docs/guide/graphs.md."`
	Routes          Routes    `yaml:"routes" json:"routes,omitempty" env:"ROUTES" jsonschema_description:"Names over several models and versions, by weights and rules; docs/guide/routes.md. PUT /v1/routes/{name} puts another one over it."`
	Shadows         Shadows   `yaml:"shadows" json:"shadows,omitempty" envPrefix:"SHADOWS__" jsonschema_description:"What the shadows of routes may take; docs/guide/shadows.md."`
	Telemetry       Telemetry `yaml:"telemetry" json:"telemetry,omitempty" envPrefix:"TELEMETRY__" jsonschema_description:"Traces. Metrics and logs are in docs/telemetry.md too and need no settings here."`
	Log             Log       `yaml:"log" json:"log,omitempty" envPrefix:"LOG__" jsonschema_description:"The log on standard error."`

	Priorities Priorities `yaml:"priorities" json:"priorities,omitempty" envPrefix:"PRIORITIES__" jsonschema_description:"How realtime, interactive and batch requests share what they wait for; docs/guide/priorities.md."`

	// Roles are what this process does. They are a flag of serve, not a key.
	Roles Roles `yaml:"-" json:"-"`
	// Insecure allows a public listen address while no authentication is configured. It is a flag of serve, not a key.
	Insecure bool `yaml:"-" json:"-"`
}

// Listen holds the addresses, as host:port.
type Listen struct {
	HTTP  string        `yaml:"http" json:"http,omitempty" env:"HTTP" jsonschema_description:"REST, KServe v2 under /v2, the page and the docs. Default localhost:8080."`
	GRPC  string        `yaml:"grpc" json:"grpc,omitempty" env:"GRPC" jsonschema_description:"KServe v2 over gRPC. Empty: no gRPC listener. Default localhost:8081."`
	Admin string        `yaml:"admin" json:"admin,omitempty" env:"ADMIN" jsonschema_description:"Admin routes, loading of models over KServe v2 (HTTP and gRPC), metrics and pprof. Empty: no admin listener. Default localhost:9090."`
	Drain time.Duration `yaml:"drain" json:"drain,omitempty" env:"DRAIN" jsonschema:"type=string" jsonschema_description:"How long requests are still taken after SIGTERM, while /readyz already says no, so that load balancers notice; 0s: not at all. Default 3s."`

	TLS      TLS           `yaml:"tls" json:"tls,omitempty" envPrefix:"TLS__" jsonschema_description:"TLS of the HTTP and gRPC listeners; docs/guide/tls.md."`
	AdminTLS TLS           `yaml:"admin_tls" json:"admin_tls,omitempty" envPrefix:"ADMIN_TLS__" jsonschema_description:"TLS of the admin listener."`
	HSTS     time.Duration `yaml:"hsts" json:"hsts,omitempty" env:"HSTS" jsonschema:"type=string" jsonschema_description:"How long browsers that came over TLS ask this host over TLS alone, whatever the port; 0s: they are not told to. Default 4320h."`
}

// Triton names the servers that run the models.
type Triton struct {
	Endpoints []string          `yaml:"endpoints" json:"endpoints,omitempty" env:"ENDPOINTS" jsonschema_description:"host:port of Triton's gRPC port, grpcs://host:port for TLS, or dns:///name:port for all addresses that a name has."`
	Metrics   []string          `yaml:"metrics" json:"metrics,omitempty" env:"METRICS" jsonschema_description:"URLs of Triton's Prometheus metrics, one for each endpoint in the same order; optional. They show a reload even where other clients call Triton directly."`
	Headers   map[string]Secret `yaml:"headers" json:"headers,omitempty" env:"HEADERS" jsonschema_description:"gRPC metadata sent with every call."`
	// EndpointHeaders has the texts of Endpoints as keys.
	EndpointHeaders EndpointHeaders `yaml:"endpoint_headers" json:"endpoint_headers,omitempty" env:"ENDPOINT_HEADERS" jsonschema_description:"gRPC metadata sent to one endpoint besides, by the text of the endpoint."`
	CA              string          `yaml:"ca" json:"ca,omitempty" env:"CA" jsonschema_description:"PEM file with the authorities for grpcs endpoints. Default: the system's."`
	Hedge           []string        `yaml:"hedge" json:"hedge,omitempty" env:"HEDGE" jsonschema_description:"Models of which a slow call may be made a second time, on another Triton, the first answer counting. Only for models whose answer depends on the input alone."`
}

// EndpointHeaders are headers by endpoint. In the environment they are JSON, because an endpoint has a colon of its own.
type EndpointHeaders map[string]map[string]Secret

// Embedded steers the ONNX Runtime in this process.
type Embedded struct {
	Library string `yaml:"library" json:"library,omitempty" env:"LIBRARY" jsonschema_description:"Path of libonnxruntime.so. Default: beside the binary, then .cache/onnxruntime, then the system's."`
	Threads int    `yaml:"threads" json:"threads,omitempty" env:"THREADS" jsonschema_description:"Threads that all inferences together may use. Default: the number of processors."`
}

// Cache says where answers are kept and for how long.
type Cache struct {
	Memory  ByteSize      `yaml:"memory" json:"memory,omitempty" env:"MEMORY" jsonschema_description:"Memory for answers and tensors, such as 256MiB; 0 turns the memory tier off."`
	Redis   Secret        `yaml:"redis" json:"redis,omitempty" env:"REDIS" jsonschema_description:"redis://, rediss:// (TLS) or unix:// URL of a Redis shared between gateways; empty: none."`
	RedisCA string        `yaml:"redis_ca" json:"redis_ca,omitempty" env:"REDIS_CA" jsonschema_description:"PEM file with the authorities for a rediss URL. Default: the system's."`
	TTL     time.Duration `yaml:"ttl" json:"ttl,omitempty" env:"TTL" jsonschema:"type=string" jsonschema_description:"How long an answer is kept where its model does not say, such as 1h."`

	patience time.Duration // with Redis; 0: package cache's. Tests on busy machines have more.
}

// Limits bound what a request may cost. Zero means the default.
type Limits struct {
	Body    ByteSize      `yaml:"body" json:"body,omitempty" env:"BODY" jsonschema_description:"Largest request body. Default 64MiB."`
	Bodies  ByteSize      `yaml:"bodies" json:"bodies,omitempty" env:"BODIES" jsonschema_description:"Largest sum of the request bodies held at one time; above it the gateway answers 429. Default 512MiB."`
	Pixels  int           `yaml:"pixels" json:"pixels,omitempty" env:"PIXELS" jsonschema_description:"Largest picture, width times height times frames. Default 50000000."`
	Side    int           `yaml:"side" json:"side,omitempty" env:"SIDE" jsonschema_description:"Largest width and largest height of a picture. Default 16384."`
	Items   int           `yaml:"items" json:"items,omitempty" env:"ITEMS" jsonschema_description:"Most images or rows in one call. Default 256."`
	Timeout time.Duration `yaml:"timeout" json:"timeout,omitempty" env:"TIMEOUT" jsonschema:"type=string" jsonschema_description:"Longest time that a request may take. Default 30s."`
	Workers int           `yaml:"workers" json:"workers,omitempty" env:"WORKERS" jsonschema_description:"Pictures decoded at one time. Default: the number of processors."`
	Queue   int           `yaml:"queue" json:"queue,omitempty" env:"QUEUE" jsonschema_description:"Pictures that may wait for a worker; above it the gateway answers 429. Default 256."`

	ModelItems int      `yaml:"model_items" json:"model_items,omitempty" env:"MODEL_ITEMS" jsonschema_description:"Calls of one model at one time, waiting ones included; above it the gateway answers 429 before it reads the body. Default 1024."`
	ModelBytes ByteSize `yaml:"model_bytes" json:"model_bytes,omitempty" env:"MODEL_BYTES" jsonschema_description:"Largest sum of the request bodies of one model at one time; above it the gateway answers 429 before it reads the body. Default 256MiB."`

	Connections int      `yaml:"connections" json:"connections,omitempty" env:"CONNECTIONS" jsonschema_description:"Most connections at one time, HTTP and gRPC together; the admin listener has as many of its own. Above it an idle connection is closed for a new one, or else the new one. Default 4096; 0: any number."`
	PerAddress  int      `yaml:"connections_per_address" json:"connections_per_address,omitempty" env:"CONNECTIONS_PER_ADDRESS" jsonschema_description:"Most of them of one client address (of the first 64 bits of an IPv6 address). Behind a proxy, which is one address, 0: any number. Default 1024."`
	BodyRate    ByteSize `yaml:"body_rate" json:"body_rate,omitempty" env:"BODY_RATE" jsonschema_description:"Bytes a second at which request bodies have to come, after 3 seconds, and answers have to be read; docs/guide/hostile-clients.md. Default 16KiB; 0: any, as long as something comes every 10 seconds."`
}

// Log steers the log.
type Log struct {
	Level  string `yaml:"level" json:"level,omitempty" env:"LEVEL" jsonschema:"enum=debug,enum=info,enum=warn,enum=error" jsonschema_description:"The least that is logged: debug adds health checks and unknown paths to info's line for each request; warn and error log trouble alone. Default info."`
	Format string `yaml:"format" json:"format,omitempty" env:"FORMAT" jsonschema:"enum=text,enum=json" jsonschema_description:"text is for people, json has one object a line. Default: text on a terminal, json otherwise."`
}

// DefaultConfig serves ./model_repository on this machine alone, without Triton and Redis.
func DefaultConfig() Config {
	return Config{
		Listen:          Listen{HTTP: "localhost:8080", GRPC: "localhost:8081", Admin: "localhost:9090", Drain: 3 * time.Second, HSTS: 4320 * time.Hour},
		ModelRepository: "./model_repository",
		Cache:           Cache{Memory: 256 << 20, TTL: time.Hour},
		Limits: Limits{Body: 64 << 20, Bodies: 512 << 20, Pixels: 50_000_000, Side: 16384, Items: 256,
			Timeout: 30 * time.Second, Queue: 256, ModelItems: 1024, ModelBytes: 256 << 20,
			Connections: 4096, PerAddress: 1024, BodyRate: 16 << 10},
		Batching:  defaultBatching(),
		Rollout:   defaultRollout(),
		Decoder:   defaultDecoder(),
		Jobs:      defaultJobs(),
		Payloads:  defaultPayloads(),
		Streams:   defaultStreams(),
		Fetch:     defaultFetch(),
		Shadows:   defaultShadows(),
		Telemetry: Telemetry{Sample: 0.1},
		Roles:     Roles{API: true, Jobs: true},
		Log:       Log{Level: "info"},

		Priorities: defaultPriorities(),
	}
}

// ByteSize is a number of bytes; in text a number with an optional unit: B, KB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024).
type ByteSize int64

var units = []struct { // longest names first: B ends them all
	name   string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

// UnmarshalText reads a size such as 256MiB.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, factor := strings.TrimSpace(string(text)), 1.0
	for _, u := range units {
		if head, ok := strings.CutSuffix(number, u.name); ok {
			number, factor = strings.TrimSpace(head), u.factor
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0) || v*factor > 1<<62 {
		return fmt.Errorf("%q is not a size; write a number and a unit, such as 64MiB", text)
	}
	*b = ByteSize(v * factor)
	return nil
}

// MarshalText writes the largest unit of 1024 that leaves a whole number.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String is MarshalText's text.
func (b ByteSize) String() string {
	for _, u := range []struct {
		name   string
		factor ByteSize
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b != 0 && b%u.factor == 0 {
			return strconv.FormatInt(int64(b/u.factor), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Secret is a text that must not be printed. Its own type keeps it out of logs and of config print.
type Secret string

// String hides the password of a URL, and everything of any other text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(string(s), "://")
	if !ok {
		return "*****"
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = "*****" + rest[at:]
	}
	return scheme + "://" + rest
}

// MarshalText is String: what is written out is masked.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// GoString keeps %#v from showing the secret.
func (s Secret) GoString() string { return s.String() }
